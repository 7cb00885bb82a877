//! Question: which nodes is it connected to, and what waits to be sent to them?
//!
//! Call: evaluated (`erl/links.erl`): `erlang:system_info/1` of `dist_ctrl` and
//! `dist_buf_busy_limit`, `erlang:nodes(hidden)`, `erlang:port_info/2` of each connection's port.
//! First OTP: 23. The statistics of `erlang:dist_get_stat/1` are told to a connection's own process
//! alone, so those of TLS are not seen.
//! Cost: constant in processes; 5 µs a connection.
//! Limit: two hundred connections; not asked with `--no-eval`.
//! Side effects: none.

use giulia_dist::term::Term;
use giulia_model::{NodeLink, NodeLinks};

use super::Probe;
use crate::{
    answer::{self, Answer, Bif, Problem},
    eval,
};

pub(crate) const PROBE: Probe = Probe {
    name: "links",
    question: "which nodes is it connected to, and what waits to be sent to them?",
};

/// Connections that are told: a cluster of distributed Erlang is fully meshed, and rarely larger.
const MOST: i64 = 200;

pub(crate) fn question(us: &str) -> Bif {
    eval::LINKS.with(Term::tuple([Term::atom(us.to_owned()), Term::int(MOST)]))
}

pub(crate) fn read(answers: &[Answer]) -> Result<NodeLinks, Problem> {
    let whole = answer::term(answers, 0)?;
    let inner = whole.as_list().and_then(<[_]>::first).and_then(Term::as_tuple);
    let Some([total, busy, links]) = inner else { return Err(answer::unexpected(&whole)) };
    let links = links.as_list().unwrap_or_default().iter().map(link);
    let mut links = links.collect::<Result<Vec<_>, _>>()?;
    links.sort_by(|left, right| {
        right.queue_bytes.cmp(&left.queue_bytes).then_with(|| left.node.cmp(&right.node))
    });
    Ok(NodeLinks { total: answer::uint(total)?, busy_limit_bytes: answer::uint(busy)?, links })
}

fn link(term: &Term<'_>) -> Result<NodeLink, Problem> {
    let Some([node, hidden, controller, facts]) = term.as_tuple() else {
        return Err(answer::unexpected(term));
    };
    let facts = facts.as_list().unwrap_or_default();
    let number = |name: &str| answer::pair(facts, name).and_then(|it| answer::uint(it).ok());
    Ok(NodeLink {
        node: node.as_atom().unwrap_or_default().to_owned(),
        hidden: hidden.is_atom("true"),
        by_process: controller.as_pid().is_some(),
        queue_bytes: number("queue_size"),
        input_bytes: number("input"),
        output_bytes: number("output"),
    })
}
