// SPDX-License-Identifier: GPL-2.0-or-later
//! The list of mutations: what is done wrong, and the scene that catches it.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use super::Between;
use super::mutant::{Mutant, Mutation as M};
use super::{smmuv3, vtd};
use crate::smmuv3::spec::command as op;

/// The scene passes as it is, and fails with the mutation.
fn is_caught(mutation: M, scene: fn(Between<'_>)) {
    scene(&super::nothing);
    let mutated = catch_unwind(AssertUnwindSafe(|| scene(&|host| Arc::new(Mutant::new(host, mutation)))));
    assert!(mutated.is_err(), "nothing noticed that {mutation:?}");
}

/// A test of each mutation.
macro_rules! mutations {
    ($($name:ident: $mutation:expr => $scene:path;)*) => {
        $(
            #[test]
            fn $name() {
                is_caught($mutation, $scene);
            }
        )*

        #[test]
        fn the_list_is_as_long_as_promised() {
            let all = [$($mutation),*];
            assert!(all.len() >= 15, "{}", all.len());
        }
    };
}

mutations! {
    // Invalidations that are lost.
    smmuv3_drops_tlbi_nh_va: M::Drop(op::TLBI_NH_VA) => smmuv3::a_page_changes;
    smmuv3_drops_tlbi_nh_vaa: M::Drop(op::TLBI_NH_VAA) => smmuv3::a_page_of_every_address_space_changes;
    smmuv3_drops_tlbi_nh_asid: M::Drop(op::TLBI_NH_ASID) => smmuv3::an_address_space_changes;
    smmuv3_drops_tlbi_nh_all: M::Drop(op::TLBI_NH_ALL) => smmuv3::everything_changes;
    smmuv3_drops_cfgi_cd: M::Drop(op::CFGI_CD) => smmuv3::a_cd_changes;
    smmuv3_drops_cfgi_cd_all: M::Drop(op::CFGI_CD_ALL) => smmuv3::a_cd_table_changes_behind_its_ste;
    smmuv3_drops_atc_inv: M::Drop(op::ATC_INV) => smmuv3::an_endpoint_keeps_translations;
    smmuv3_cuts_a_batch_short: M::CutShort => smmuv3::many_pages_change;
    // That are shorter, or about something else.
    smmuv3_shortens_ranges: M::ShortenRange => smmuv3::a_range_changes;
    smmuv3_leaves_tables_out: M::LeavesOnly => smmuv3::a_table_changes;
    smmuv3_names_another_asid: M::WrongAsid => smmuv3::an_address_space_changes;
    smmuv3_names_another_address: M::WrongAddress => smmuv3::a_page_changes;
    smmuv3_names_another_substream: M::WrongSubstream => smmuv3::a_cd_changes;
    // Batches that are wrong as such.
    smmuv3_reorders_a_batch: M::Reverse => smmuv3::an_error_is_its_commands;
    smmuv3_sends_one_by_one: M::OneByOne => smmuv3::a_sync_is_one_call;
    smmuv3_hides_a_failure: M::HideFailure => smmuv3::an_error_is_its_commands;
    smmuv3_counts_wrong: M::WrongIndex => smmuv3::an_error_is_its_commands;
    // Bindings.
    smmuv3_keeps_an_old_ste: M::KeepOld => smmuv3::an_ste_changes;
    smmuv3_keeps_a_device: M::KeepBound => smmuv3::a_device_is_let_go;
    smmuv3_takes_another_s1dss: M::WrongS1dss => smmuv3::requests_without_pasid;
    smmuv3_takes_another_s1cdmax: M::WrongS1cdmax => smmuv3::cd_tables_of_every_shape;
    smmuv3_takes_another_s1fmt: M::WrongS1fmt => smmuv3::cd_tables_of_every_shape;
    smmuv3_bypasses_where_it_aborts: M::AbortIsBypass => smmuv3::the_registers_decide;
    // Faults, answers, events.
    smmuv3_asks_for_no_faults: M::NoFaults => smmuv3::stalls_are_answered;
    smmuv3_drops_faults: M::DropFaults => smmuv3::stalls_are_answered;
    smmuv3_forgets_a_faults_pasid: M::FaultWithoutPasid => smmuv3::stalls_are_answered;
    smmuv3_answers_another_fault: M::WrongCookie => smmuv3::stalls_are_answered;
    smmuv3_answers_the_opposite: M::WrongResponse => smmuv3::stalls_are_answered;
    smmuv3_answers_nothing: M::DropResponses => smmuv3::stalls_are_answered;
    smmuv3_drops_events: M::DropEvents => smmuv3::faults_are_events;
    smmuv3_names_another_stream: M::EventOfAnother => smmuv3::faults_are_events;
    smmuv3_hides_lost_events: M::HideLost => smmuv3::lost_events_are_told;

    // VT-d: invalidations.
    vtd_drops_invalidations: M::DropPages => vtd::a_page_changes;
    vtd_cuts_a_batch_short: M::CutShort => vtd::many_pages_change;
    vtd_shortens_ranges: M::ShortenRange => vtd::a_range_changes;
    vtd_invalidates_one_page_of_all: M::FirstPageOnly => vtd::an_address_space_changes;
    vtd_names_another_address: M::WrongAddress => vtd::a_page_changes;
    vtd_leaves_tables_out: M::LeavesOnly => vtd::a_table_changes;
    vtd_forgets_a_domains_other_device: M::FirstBindingOnly => vtd::devices_of_a_domain;
    vtd_reorders_a_batch: M::Reverse => vtd::an_error_is_its_descriptors;
    vtd_sends_one_by_one: M::OneByOne => vtd::a_wait_is_one_call;
    vtd_hides_a_failure: M::HideFailure => vtd::an_error_is_its_descriptors;
    vtd_counts_wrong: M::WrongIndex => vtd::an_error_is_its_descriptors;
    // PASIDs.
    vtd_keeps_an_old_entry: M::KeepOld => vtd::a_pasid_changes;
    vtd_keeps_a_pasid: M::KeepBound => vtd::a_pasid_comes_and_goes;
    vtd_keeps_a_device: M::KeepBound => vtd::a_device_is_let_go;
    vtd_ignores_rid_pasid: M::NoRidPasid => vtd::requests_without_pasid;
    vtd_binds_another_pasid: M::WrongPasid => vtd::a_pasid_comes_and_goes;
    vtd_takes_five_levels_for_four: M::FourLevels => vtd::what_an_entry_says;
    vtd_ignores_supervisor_requests: M::NoSupervisor => vtd::what_an_entry_says;
    vtd_bypasses_where_it_aborts: M::AbortIsBypass => vtd::the_register_decides;
    // Page requests.
    vtd_asks_for_no_faults: M::NoFaults => vtd::page_requests_are_answered;
    vtd_drops_faults: M::DropFaults => vtd::page_requests_are_answered;
    vtd_forgets_a_faults_pasid: M::FaultWithoutPasid => vtd::page_requests_are_answered;
    vtd_answers_another_fault: M::WrongCookie => vtd::page_requests_are_answered;
    vtd_answers_the_opposite: M::WrongResponse => vtd::page_requests_are_answered;
    vtd_answers_nothing: M::DropResponses => vtd::page_requests_are_answered;
}
