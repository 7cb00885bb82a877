//! The longer answers for people; the short ones stand in their operation's file.

mod calls;
mod code;
mod compare;
mod database;
mod dump;
mod ets_rates;
mod explain;
pub(crate) mod findings;
mod flame;
mod mailbox;
mod page;
mod places;
mod process;
mod profile;
mod report;
mod samples;
mod snapshot;
mod status;
mod surroundings;
mod tables;
mod trace;

pub(crate) use code::{
    code_behaviours, code_callees, code_callers, code_complexity, code_cycles, code_export,
    code_functions, code_impact, code_index, code_modules, code_path, code_show, code_status,
    code_supervision, code_tables,
};
pub(crate) use compare::compare;
pub(crate) use dump::dump;
pub(crate) use ets_rates::ets_rates;
pub(crate) use explain::explain;
pub(crate) use findings::{checked, findings};
pub(crate) use flame::flame;
pub(crate) use mailbox::mailbox;
pub(crate) use process::process;
pub(crate) use profile::profile;
pub(crate) use report::report;
pub(crate) use samples::samples;
pub(crate) use snapshot::{gates, snapshot};
pub use status::status;
pub(crate) use trace::trace;
