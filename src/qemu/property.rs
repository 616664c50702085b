// SPDX-License-Identifier: GPL-2.0-or-later
//! Device properties: what a user sets with `-device type,name=value` before a device comes into being.
//!
//! ```text
//! properties! {
//!     /// Properties of the widget.
//!     pub struct WidgetProperties {
//!         /// Number of channels.
//!         pub channels: u32 = 4, c"channels", c"number of channels (1-64)";
//!         /// What it is called.
//!         pub label: Text = (), c"label", c"name in messages";
//!         /// Where it sits.
//!         pub bus: Link<PciBus> = (), c"primary-bus", c"PCI bus that it serves";
//!     }
//! }
//! let n: u32 = this.properties().channels.get();
//! ```

use core::cell::UnsafeCell;
use core::ffi::{CStr, c_char, c_int};
use core::marker::PhantomData;

use qemu_sys as sys;

use super::bql;
use super::qom::{DeviceImpl, ObjectLike};

/// The value of a property, in the place where QEMU writes it. Zeroed memory is a valid value.
#[repr(transparent)]
pub struct Property<K: PropertyKind>(UnsafeCell<K::Storage>);

// SAFETY: QEMU writes properties of a device only before it is realized, under the BQL; other threads
// know the device only after that. Properties that a board sets on realized devices do not exist here.
unsafe impl<K: PropertyKind> Sync for Property<K> {}
// SAFETY: as above.
unsafe impl<K: PropertyKind> Send for Property<K> {}

/// The default of a property.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Default {
    /// Unset: null for texts and links.
    None,
    /// A boolean.
    Bool(bool),
    /// An unsigned number.
    Unsigned(u64),
    /// `on`, `off` or `auto`.
    OnOffAuto(OnOffAuto),
    /// The first word of an enumeration.
    First,
}

/// A kind of property: `bool`, `u8` to `u64`, [`OnOffAuto`], [`Text`], [`Link`], and QEMU's enumerations.
///
/// # Safety
/// `Storage` is what QEMU's `info` reads and writes, and is valid when zeroed.
pub unsafe trait PropertyKind: 'static {
    /// The C type.
    type Storage: 'static;
    /// What a default is given as.
    type Default: Copy;
    /// QOM type of the target, for links.
    const LINK_TYPE: Option<&'static CStr> = None;

    /// QEMU's accessors.
    fn info() -> *const sys::PropertyInfo;
    /// The default in QEMU's terms.
    fn default(value: Self::Default) -> Default;
}

macro_rules! unsigned_kinds {
    ($($ty:ty: $info:ident),+) => {$(
        // SAFETY: the accessors are those of this C type; zero is a number.
        unsafe impl PropertyKind for $ty {
            type Storage = $ty;
            type Default = $ty;

            fn info() -> *const sys::PropertyInfo {
                &raw const sys::$info
            }

            fn default(value: $ty) -> Default {
                Default::Unsigned(u64::from(value))
            }
        }

        impl Property<$ty> {
            /// The value.
            pub fn get(&self) -> $ty {
                // SAFETY: no thread writes at the same time, see `Sync` above.
                unsafe { *self.0.get() }
            }
        }
    )+};
}
unsigned_kinds!(u8: qdev_prop_uint8, u16: qdev_prop_uint16, u32: qdev_prop_uint32, u64: qdev_prop_uint64);

// SAFETY: the accessors are those of a C `bool`; zero is false.
unsafe impl PropertyKind for bool {
    type Storage = bool;
    type Default = bool;

    fn info() -> *const sys::PropertyInfo {
        &raw const sys::qdev_prop_bool
    }

    fn default(value: bool) -> Default {
        Default::Bool(value)
    }
}

impl Property<bool> {
    /// The value.
    pub fn get(&self) -> bool {
        // SAFETY: no thread writes at the same time, see `Sync` above.
        unsafe { *self.0.get() }
    }
}

/// A property of three values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnOffAuto {
    /// The device decides.
    Auto,
    /// Yes.
    On,
    /// No.
    Off,
}

// SAFETY: the accessors are those of the C enumeration; zero is `auto`.
unsafe impl PropertyKind for OnOffAuto {
    type Storage = sys::OnOffAuto;
    type Default = OnOffAuto;

    fn info() -> *const sys::PropertyInfo {
        &raw const sys::qdev_prop_on_off_auto
    }

    fn default(value: OnOffAuto) -> Default {
        Default::OnOffAuto(value)
    }
}

impl OnOffAuto {
    fn raw(self) -> sys::OnOffAuto {
        match self {
            Self::Auto => sys::OnOffAuto_ON_OFF_AUTO_AUTO,
            Self::On => sys::OnOffAuto_ON_OFF_AUTO_ON,
            Self::Off => sys::OnOffAuto_ON_OFF_AUTO_OFF,
        }
    }

    /// The value, with the device's choice where the user left it to the device.
    pub fn unwrap_or(self, auto: bool) -> bool {
        match self {
            Self::Auto => auto,
            Self::On => true,
            Self::Off => false,
        }
    }
}

impl Property<OnOffAuto> {
    /// The value.
    pub fn get(&self) -> OnOffAuto {
        // SAFETY: no thread writes at the same time, see `Sync` above.
        match unsafe { *self.0.get() } {
            sys::OnOffAuto_ON_OFF_AUTO_ON => OnOffAuto::On,
            sys::OnOffAuto_ON_OFF_AUTO_OFF => OnOffAuto::Off,
            _ => OnOffAuto::Auto,
        }
    }

    /// Puts the device's choice where the user left it to the device, so that a reader sees what holds. From `realize`.
    pub fn settle(&self, choice: bool) {
        bql::assert_locked();
        let choice = if choice { OnOffAuto::On } else { OnOffAuto::Off };
        // SAFETY: under the BQL, before the device is realized: no other thread reads or writes, see `Sync` above.
        unsafe { *self.0.get() = choice.raw() };
    }
}

/// A kind of property that switches a feature on or off. Two device types can share a table in which one has booleans, and the
/// other has properties that leave the feature as the type has it.
pub trait Switch: PropertyKind + Sized {
    /// The default: nothing was said, or `off`.
    const UNSET: Self::Default;

    /// What was said, if anything.
    fn choice(property: &Property<Self>) -> Option<bool>;
}

impl Switch for OnOffAuto {
    const UNSET: Self = Self::Auto;

    fn choice(property: &Property<Self>) -> Option<bool> {
        match property.get() {
            Self::On => Some(true),
            Self::Off => Some(false),
            Self::Auto => None,
        }
    }
}

impl Switch for bool {
    const UNSET: Self = false;

    fn choice(property: &Property<Self>) -> Option<bool> {
        Some(property.get())
    }
}

/// A kind of property that is a word. Two device types can share a table in which one has QEMU's enumerations, and the other
/// has texts, which it judges itself.
pub trait Word: PropertyKind<Default = ()> + Sized {
    /// The word, if it was set.
    fn word(property: &Property<Self>) -> Option<&str>;
}

impl Word for Text {
    fn word(property: &Property<Self>) -> Option<&str> {
        property.get()
    }
}

/// Kinds of properties that are one of several words, the first of which is the default.
macro_rules! enumerations {
    ($($(#[$doc:meta])* $name:ident: $info:ident;)+) => {$(
        $(#[$doc])*
        pub struct $name;

        // SAFETY: the accessors are those of a C enumeration, which QEMU asserts to be as large as an `int`; zero is its
        // first word.
        unsafe impl PropertyKind for $name {
            type Storage = c_int;
            type Default = ();

            fn info() -> *const sys::PropertyInfo {
                &raw const sys::$info
            }

            fn default((): ()) -> Default {
                Default::First
            }
        }

        impl Word for $name {
            fn word(property: &Property<Self>) -> Option<&str> {
                // SAFETY: no thread writes at the same time, see `Sync` above.
                let number = unsafe { *property.0.get() };
                // SAFETY: QEMU's table of the words, which it checked the value by.
                unsafe { word(&sys::$info, number) }
            }
        }
    )+};
}
enumerations! {
    /// The output address size of an SMMU: `auto`, or bits.
    OasMode: qdev_prop_oas_mode;
    /// The size of SubstreamIDs: `auto`, or bits.
    SsidSizeMode: qdev_prop_ssidsize_mode;
}

/// A word of an enumeration; nothing for a number that it does not have.
///
/// # Safety
/// `info` is of an enumeration, and its table is QEMU's.
unsafe fn word(info: &sys::PropertyInfo, number: c_int) -> Option<&'static str> {
    // SAFETY: the caller's promise.
    let table = unsafe { &*info.enum_table };
    let index = usize::try_from(number).ok().filter(|_| number < table.size)?;
    // SAFETY: within the table, whose strings live for ever.
    unsafe { CStr::from_ptr(*table.array.add(index)) }.to_str().ok()
}

/// The kind of a property that is a string.
pub struct Text;

// SAFETY: the accessors are those of a `char *`; null is unset. QEMU frees the string.
unsafe impl PropertyKind for Text {
    type Storage = *mut c_char;
    type Default = ();

    fn info() -> *const sys::PropertyInfo {
        &raw const sys::qdev_prop_string
    }

    fn default((): ()) -> Default {
        Default::None
    }
}

impl Property<Text> {
    /// The string, or `None` if it was not set. A string that is not UTF-8 reads as empty.
    pub fn get(&self) -> Option<&str> {
        // SAFETY: no thread writes at the same time, see `Sync` above.
        let raw = unsafe { *self.0.get() };
        // SAFETY: a C string that lives until the property changes or the device goes.
        (!raw.is_null()).then(|| unsafe { CStr::from_ptr(raw) }.to_str().unwrap_or(""))
    }
}

/// The kind of a property that names another object of type `B`.
pub struct Link<B>(PhantomData<fn() -> B>);

// SAFETY: the accessors are those of an object pointer; null is unset. QEMU checks the type when it is set.
unsafe impl<B: ObjectLike + 'static> PropertyKind for Link<B> {
    type Storage = *mut sys::Object;
    type Default = ();
    const LINK_TYPE: Option<&'static CStr> = Some(B::TYPE_NAME);

    fn info() -> *const sys::PropertyInfo {
        &raw const sys::qdev_prop_link
    }

    fn default((): ()) -> Default {
        Default::None
    }
}

impl<B: ObjectLike + 'static> Property<Link<B>> {
    /// The object, or `None` if it was not set.
    pub fn get(&self) -> Option<&B> {
        // SAFETY: no thread writes at the same time, see `Sync` above.
        let raw = unsafe { *self.0.get() };
        // SAFETY: the property holds a reference to an object whose type QEMU checked.
        (!raw.is_null()).then(|| unsafe { B::from_ptr(raw.cast()) })
    }
}

/// One line of a property table.
pub struct Definition {
    /// Name on the command line.
    pub name: &'static CStr,
    /// For `-device type,help`.
    pub description: &'static CStr,
    /// Where the value is in the properties' structure.
    pub offset: usize,
    /// QEMU's accessors.
    pub info: fn() -> *const sys::PropertyInfo,
    /// The default.
    pub default: fn() -> Default,
    /// Type of the target, for links.
    pub link_type: Option<&'static CStr>,
}

/// A structure of [`Property`] fields. Use [`properties!`](crate::qemu::properties).
///
/// # Safety
/// Every field is a `Property`, and the table has their true offsets and kinds.
pub unsafe trait PropertyTable: Send + Sync + 'static {
    /// The table.
    const TABLE: &'static [Definition];
}

// SAFETY: no fields.
unsafe impl PropertyTable for () {
    const TABLE: &'static [Definition] = &[];
}

/// Declares a structure of properties: see [`crate::qemu::property`].
#[macro_export]
macro_rules! __qemu_properties {
    ($(#[$doc:meta])* $vis:vis struct $name:ident $(<$param:ident: $bound:path>)? {
        $($(#[$field_doc:meta])* $field_vis:vis $field:ident: $kind:ty = $default:expr, $key:expr, $text:expr;)*
    }) => {
        $(#[$doc])*
        $vis struct $name $(<$param: $bound>)? {
            $($(#[$field_doc])* $field_vis $field: $crate::qemu::property::Property<$kind>,)*
        }

        // SAFETY: only properties, and each line of the table is made from its field.
        unsafe impl $(<$param: $bound>)? $crate::qemu::property::PropertyTable for $name $(<$param>)? {
            const TABLE: &'static [$crate::qemu::property::Definition] = &[
                $($crate::qemu::property::Definition {
                    name: $key,
                    description: $text,
                    offset: ::core::mem::offset_of!(Self, $field),
                    info: <$kind as $crate::qemu::property::PropertyKind>::info,
                    default: || <$kind as $crate::qemu::property::PropertyKind>::default($default),
                    link_type: <$kind as $crate::qemu::property::PropertyKind>::LINK_TYPE,
                },)*
            ];
        }
    };
}

/// QEMU's table for the properties of `T`, which begin at `base` in its instances. Made once for each
/// class and kept: QEMU does not copy it.
pub(super) fn build<T: DeviceImpl>(base: usize) -> &'static [sys::Property] {
    let table = T::Properties::TABLE.iter().map(|line| {
        let default = T::DEFAULTS
            .iter()
            .find(|(name, _)| *name == line.name)
            .map_or_else(|| (line.default)(), |(_, default)| *default);
        let mut raw = sys::Property {
            name: line.name.as_ptr(),
            info: (line.info)(),
            // An offset within an instance, far below `isize::MAX`.
            offset: (base + line.offset).cast_signed(),
            ..sys::Property::default()
        };
        if let Some(link_type) = line.link_type {
            raw.link_type = link_type.as_ptr();
        }
        raw.set_default = default != Default::None;
        match default {
            Default::None => {}
            Default::Bool(value) => raw.defval.u = u64::from(value),
            Default::Unsigned(value) => raw.defval.u = value,
            Default::First => raw.defval.i = 0,
            Default::OnOffAuto(value) => raw.defval.i = i64::from(value.raw().0),
        }
        raw
    });
    Vec::leak(table.collect())
}

/// Gives the properties of `T`'s class their descriptions.
pub(super) fn describe<T: DeviceImpl>(class: *mut sys::ObjectClass) {
    for line in T::Properties::TABLE {
        // SAFETY: a class under construction that has the property; C strings.
        unsafe {
            sys::object_class_property_set_description(class, line.name.as_ptr(), line.description.as_ptr());
        }
    }
}
