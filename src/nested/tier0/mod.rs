// SPDX-License-Identifier: GPL-2.0-or-later
//! The layer between a guest's IOMMU and a host, proved against full emulation.
//!
//! A guest's tables are translated twice: by an emulated IOMMU, and by the host inside the process, which has heard of
//! them only through the layer, forgets nothing by itself, and walks under a second stage. Each access has to end alike.
//!
//! | module      | what it holds                                                                       |
//! |-------------|-------------------------------------------------------------------------------------|
//! | `smmuv3`    | a guest with an SMMUv3, and scenes of it                                            |
//! | `vtd`       | a guest with a VT-d unit, and scenes of it                                          |
//! | `histories` | random histories of guests                                                          |
//! | `registers_*` | the models' registers and queues, with a function in a host's hands and its twin   |
//! | `bound_table` | the structure of 2018, bound on both architectures                               |
//! | `failures`  | hosts that fail: what guest and layer are left with                                 |
//! | `mutant`    | a host that does one thing wrong, standing for a layer that does                    |
//! | `mutations` | the list of these, each with the scene that must not survive it                     |

mod bound_table;
mod failures;
mod histories;
mod mutant;
mod mutations;
mod registers_smmuv3;
mod registers_vtd;
mod smmuv3;
mod vtd;

use std::sync::Arc;

use super::SoftwareHost;
use super::host::Host;

/// What stands between the layer and the host.
pub(super) type Between<'a> = &'a dyn Fn(Arc<SoftwareHost>) -> Arc<dyn Host>;

/// Nothing does.
pub(super) fn nothing(host: Arc<SoftwareHost>) -> Arc<dyn Host> {
    host
}

/// A test of each scene, with nothing in between.
macro_rules! scenes {
    ($($scene:ident)*) => {
        $(
            #[test]
            fn $scene() {
                super::$scene(&crate::nested::tier0::nothing);
            }
        )*
    };
}
use scenes;
