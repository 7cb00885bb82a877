//! A speedscope document, for <https://www.speedscope.app>: one profile of all processes, and one of
//! each of the largest groups.
//!
//! Format: <https://github.com/jlfwong/speedscope/wiki/Importing-from-custom-sources>.

use std::collections::HashMap;

use giulia_model::{Flame, FlameStack};
use serde::Serialize;

use super::{name, notes, subtitle, title, tree};
use crate::Writer;

pub(super) const WRITER: Writer<Flame> =
    Writer { name: "speedscope", endings: &[".speedscope.json", ".speedscope"], write };

const SCHEMA: &str = "https://www.speedscope.app/file-format-schema.json";
/// Groups that get a profile of their own; its chooser is a list to scroll.
const GROUPS_MAX: usize = 20;

#[derive(Serialize)]
struct File<'a> {
    #[serde(rename = "$schema")]
    schema: &'static str,
    name: String,
    exporter: &'static str,
    /// Of no meaning to speedscope: what the figures are.
    giulia: Vec<String>,
    #[serde(rename = "activeProfileIndex")]
    active: usize,
    shared: Shared<'a>,
    profiles: Vec<Profile>,
}

#[derive(Serialize)]
struct Shared<'a> {
    frames: Vec<Frame<'a>>,
}

#[derive(Serialize, PartialEq, Eq, Hash, Clone)]
struct Frame<'a> {
    name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    file: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    line: Option<u32>,
}

#[derive(Serialize)]
struct Profile {
    r#type: &'static str,
    name: String,
    unit: &'static str,
    #[serde(rename = "startValue")]
    start: u64,
    #[serde(rename = "endValue")]
    end: u64,
    samples: Vec<Vec<usize>>,
    weights: Vec<u64>,
}

fn write(it: &Flame) -> Vec<u8> {
    let mut frames = Frames::default();
    let mut profiles = vec![frames.profile(title(it), true, it.stacks.iter())];
    for group in it.groups.iter().take(GROUPS_MAX).filter(|_| it.groups.len() > 1) {
        let of_group = it.stacks.iter().filter(|stack| stack.group == group.name);
        profiles.push(frames.profile(group.name.clone(), false, of_group));
    }
    let file = File {
        schema: SCHEMA,
        name: title(it),
        exporter: concat!("giulia ", env!("CARGO_PKG_VERSION")),
        giulia: std::iter::once(subtitle(it)).chain(notes(it)).collect(),
        active: 0,
        shared: Shared { frames: frames.all },
        profiles,
    };
    // Plain structs of text and whole numbers have a JSON.
    serde_json::to_vec(&file).unwrap_or_default()
}

/// Frames, each once.
#[derive(Default)]
struct Frames<'a> {
    all: Vec<Frame<'a>>,
    places: HashMap<Frame<'a>, usize>,
}

impl<'a> Frames<'a> {
    fn place(&mut self, frame: Frame<'a>) -> usize {
        let all = &mut self.all;
        *self.places.entry(frame).or_insert_with_key(|frame| {
            all.push(frame.clone());
            all.len() - 1
        })
    }

    /// The stacks of some processes, outermost first.
    fn profile(
        &mut self,
        called: String,
        with_group: bool,
        stacks: impl Iterator<Item = &'a FlameStack>,
    ) -> Profile {
        let (mut samples, mut weights) = (Vec::new(), Vec::new());
        for stack in stacks {
            let said = tree::path(stack);
            let extra = said.len().saturating_sub(stack.stack.len());
            // What is no function comes first: the group, and what stands for missing frames.
            let words = said.into_iter().take(extra).skip(usize::from(!with_group));
            let words = words.map(|(name, _)| Frame { name, file: None, line: None });
            let functions = stack.stack.iter().rev().map(|it| Frame {
                name: name(&it.function),
                file: it.file.as_deref(),
                line: it.line,
            });
            samples.push(words.chain(functions).map(|it| self.place(it)).collect());
            weights.push(stack.samples);
        }
        let end = weights.iter().sum();
        Profile { r#type: "sampled", name: called, unit: "none", start: 0, end, samples, weights }
    }
}
