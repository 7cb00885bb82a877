//! `binary_retention`: a process keeps binaries outside its heap alive.

use giulia_model::{BinaryHolder, Culprit, Effort, Evidence, Finding, Severity, Source};

use crate::{
    Missing, Picture, Rule, Threshold,
    figures::{bytes, percent},
    predict::as_f64,
};

/// The rule.
pub(super) static RULE: Rule = Rule {
    id: "binary_retention",
    title: "A process keeps large binaries alive",
    page: include_str!("../../../../docs/rules/binary_retention.md"),
    thresholds: &[&BYTES_MIN, &SHARE_MIN],
    judge,
};

static BYTES_MIN: Threshold = Threshold {
    name: "binaries outside its heap that one process holds",
    value: 16_000_000.0,
    unit: "bytes",
    source: "our choice: 43 times the 46,422 words after which a collection looks for binaries to \
             let go of (`min_bin_vheap_size`, erts 15.2); what is held beyond that many rounds is \
             reachable, or its process is never collected",
};
static SHARE_MIN: Threshold = Threshold {
    name: "of the memory of the node",
    value: 0.25,
    unit: "share",
    source: "our choice: less than a quarter of the memory is not what fills it",
};

fn judge(picture: &Picture) -> Result<Vec<Finding>, Missing> {
    let holders = picture.last_of("binaries", |it| it.binaries.as_ref())?;
    let memory = picture.last_of("memory", |it| it.memory.as_ref())?;
    let total = as_f64(memory.total_bytes.max(1));
    let holds = |it: &&BinaryHolder| {
        as_f64(it.bytes) >= BYTES_MIN.value && as_f64(it.bytes) >= SHARE_MIN.value * total
    };
    Ok(holders.top.iter().filter(holds).map(|it| found(picture, it, total)).collect())
}

fn found(picture: &Picture, it: &BinaryHolder, total: f64) -> Finding {
    let size = as_f64(it.bytes);
    let share = size / total;
    let each = size / as_f64(it.count.max(1));
    Finding {
        culprits: vec![Culprit::process(&it.name, &it.pid)],
        evidence: vec![
            Evidence::new(format!("binaries held by {}", it.name), size, "bytes", Source::Snapshot)
                .from(BYTES_MIN.value),
            Evidence::new("of the memory of the node", share, "share", Source::Snapshot)
                .from(SHARE_MIN.value),
            Evidence::new("binaries", as_f64(it.count), "count", Source::Snapshot),
        ],
        recommendation: Some(
            "keep a copy (`binary:copy/1`) where a part is kept of something large; where the \
             process only passes binaries on, let it hibernate or collect after each large one"
                .to_owned(),
        ),
        effort: Some(Effort::Low),
        risks: vec![
            "a copy of what is kept whole anyway only costs memory: look at how large the kept \
             parts are"
                .to_owned(),
            "a collection after each message costs CPU".to_owned(),
        ],
        verify: Some(format!(
            "giulia process {} {}",
            picture.node,
            crate::rule::argument(&it.name, &it.pid.0)
        )),
        ..Finding::found(
            Severity::Note,
            format!("{} keeps {} of binaries alive", it.name, bytes(size)),
            format!(
                "{} binaries of {} each on average, {} of the memory of the node; a part of a \
                 binary keeps the whole, and so does a reference that no collection removed yet",
                it.count,
                bytes(each),
                percent(share)
            ),
        )
    }
}

#[cfg(test)]
mod tests {
    use giulia_model::{BinaryHolders, FindingOutcome, Memory, Pid};

    use super::*;
    use crate::example::{check, healthy, says};

    fn with(held: u64, total: u64) -> Picture {
        let mut picture = healthy();
        let last = picture.last.as_mut().unwrap();
        last.memory = Some(Memory { total_bytes: total, ..Memory::default() });
        last.binaries = Some(BinaryHolders {
            ranked: 200,
            total: 200,
            top: vec![BinaryHolder {
                pid: Pid("<0.300.0>".to_owned()),
                name: "shop_index".to_owned(),
                count: 1_000,
                bytes: held,
                ..BinaryHolder::default()
            }],
        });
        picture
    }

    #[test]
    fn fires_on_parts_that_keep_the_whole() {
        let said = check(&RULE, &with(65_000_000, 90_000_000), FindingOutcome::Found);
        assert_eq!(said.culprits[0].name, "shop_index");
        assert!(said.why.contains("63.5 KiB each"), "{}", said.why);
    }

    #[test]
    fn silent_on_little_and_on_a_small_share() {
        check(&RULE, &with(1_000_000, 2_000_000), FindingOutcome::Clear);
        check(&RULE, &with(65_000_000, 4_000_000_000), FindingOutcome::Clear);
    }

    #[test]
    fn edge_at_a_quarter_and_where_nobody_looked() {
        check(&RULE, &with(16_000_000, 64_000_000), FindingOutcome::Found);
        check(&RULE, &with(16_000_000, 64_000_004), FindingOutcome::Clear);
        let mut unseen = with(65_000_000, 90_000_000);
        unseen.last.as_mut().unwrap().binaries = None;
        assert_eq!(says(&RULE, &unseen).outcome, FindingOutcome::NotEnoughSeen);
    }
}
