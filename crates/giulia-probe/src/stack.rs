//! Stacks as `current_stacktrace` tells them.

use giulia_dist::term::Term;
use giulia_model::{Frame, Mfa};

use crate::{answer, look};

/// `backtrace_depth`, by default: the VM cuts stacks to so many frames. Nothing tells a depth that
/// somebody changed; with a lower one, a stack that was cut passes for a whole one.
pub(crate) const FRAMES_CUT: usize = 8;

/// The frames, innermost first; none of what is no stack.
pub(crate) fn frames(stack: &Term<'_>) -> Vec<Frame> {
    stack.as_list().unwrap_or_default().iter().filter_map(frame).collect()
}

/// The outermost function of a whole stack: one that may be cut ends anywhere.
pub(crate) fn outermost(frames: &[Frame]) -> Option<&Mfa> {
    if frames.len() < FRAMES_CUT { frames.last().map(|it| &it.function) } else { None }
}

fn frame(term: &Term<'_>) -> Option<Frame> {
    let function = look::as_mfa(term)?;
    let location = term.as_tuple().and_then(|it| it.get(3)).and_then(Term::as_list);
    let place = |name: &str| answer::pair(location.unwrap_or_default(), name);
    // No line is told as no location, an unknown one as line 0.
    let line = place("line").and_then(|it| answer::uint(it).ok()).filter(|it| *it > 0);
    let line = line.and_then(|it| u32::try_from(it).ok());
    let file = place("file").and_then(answer::text).filter(|_| line.is_some());
    Some(Frame { function, file, line })
}
