//! Spans of a function: what ran between its calls and their returns, and what that rested on.
//!
//! Three parts: [`sample_spans`] gets trace messages from a node, [`spans`] folds them without one,
//! [`name_things`] asks what the handles in them are called.

mod boundaries;
mod event;
mod fold;
mod naming;
mod sampler;
mod thing;
mod timeline;

pub use event::Digest;
pub use fold::{Cycle, End, Part, Span, cycles, spans};
pub use naming::{Named, name_things};
pub use sampler::{SpanOptions, SpanSample, sample_spans};
pub use thing::{Handle, Thing, Who};
