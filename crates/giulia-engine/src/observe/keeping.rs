//! What a session switches on at its node, for as long as it lasts: a keeper, and a new one when
//! the node let go of the old.

use std::time::Duration;

use giulia_probe::{
    Keeper, KeeperEnd, KeeperOptions, Setting, SystemEventLimits, SystemEvents, dist::ErrorKind,
};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender};

use super::probe::Told;
use crate::remote::Link;

/// Between two looks at what the VM reported; each is a message to the node.
const EVENTS_APART: Duration = Duration::from_secs(5);
/// Before another keeper is started in place of one that the node let go of: what ended it once
/// must not make us start them in a row.
const AGAIN_AFTER: Duration = Duration::from_secs(1);
/// Keepers of one link; a node that lets go of so many is not asked to hold another.
pub(super) const KEEPERS_MAX: u32 = 100;

/// What a session says when the VM reported more than the sink takes.
const FLOODED: &str = "the VM reports more than giulia takes; its reports are switched off, and none \
                       is recorded from here on";

/// What a session says when the node takes no setting of ours.
const NOTHING_HELD: &str = "scheduler wall time could not be switched on, so how busy the \
                            schedulers are is not seen";

/// Of what the VM says of an event: sizes come first, and a mark is one line.
const INFO_CHARS_MAX: usize = 120;

/// What the keeper's task is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Keep {
    /// Switch everything off and hold nothing from now on.
    Disarm,
    /// Switch everything off and end.
    Stop,
}

/// Holds what a session needs until it is told otherwise or the connection ends.
pub(super) async fn keep(
    link: Link,
    mut orders: UnboundedReceiver<Keep>,
    outbox: UnboundedSender<Told>,
) {
    for number in 0..KEEPERS_MAX {
        let keeper = match Keeper::start(&link, &KeeperOptions::default()).await {
            Ok(keeper) => keeper,
            Err(error) => {
                // A connection that ended tells for itself.
                if !link.connection().is_closed() {
                    outbox.send(Told::Alarm(format!("{NOTHING_HELD}: {error}"))).ok();
                }
                return;
            }
        };
        let lapsed = hold(&keeper, number, &mut orders, &outbox).await;
        match lapsed {
            Held::Until(order) => {
                outbox.send(Told::Kept(number, keeper.stop().await)).ok();
                if order == Keep::Disarm {
                    outbox.send(Told::Disarmed).ok();
                }
                return;
            }
            Held::Ended(end) => {
                outbox.send(Told::Kept(number, keeper.changes())).ok();
                let Some(why) = why(&end) else { return };
                outbox.send(Told::Lapsed(why)).ok();
            }
        }
        tokio::time::sleep(AGAIN_AFTER).await;
    }
}

/// Why holding was over.
enum Held {
    Until(Keep),
    Ended(KeeperEnd),
}

async fn hold(
    keeper: &Keeper,
    number: u32,
    orders: &mut UnboundedReceiver<Keep>,
    outbox: &UnboundedSender<Told>,
) -> Held {
    let holding = async {
        let mut has_events = arm(keeper, number, outbox).await;
        loop {
            tokio::time::sleep(EVENTS_APART).await;
            if !has_events {
                continue;
            }
            match keeper.events().await {
                Ok(events) => {
                    if let Some(text) = told(&events) {
                        outbox.send(Told::Alarm(text)).ok();
                    }
                }
                Err(error) if error.kind() == ErrorKind::Killed => {
                    // Its tracer is gone; what floods once would flood again.
                    has_events = false;
                    let events = Setting::SystemEvents(SystemEventLimits::default());
                    keeper.disarm(events).await.ok();
                    outbox.send(Told::Kept(number, keeper.changes())).ok();
                    outbox.send(Told::Alarm(FLOODED.to_owned())).ok();
                }
                Err(error) => tracing::debug!(%error, "no events"),
            }
        }
    };
    tokio::select! {
        biased;
        order = orders.recv() => Held::Until(order.unwrap_or(Keep::Stop)),
        end = keeper.ended() => Held::Ended(end),
        never = holding => never,
    }
}

/// Switches on what there is; whether the VM reports events here.
async fn arm(keeper: &Keeper, number: u32, outbox: &UnboundedSender<Told>) -> bool {
    let events = Setting::SystemEvents(SystemEventLimits::default());
    let mut has_events = false;
    for setting in [Setting::SchedulerWallTime, events] {
        let name = setting.name().to_owned();
        let is_events = matches!(setting, Setting::SystemEvents(_));
        match keeper.arm(setting).await {
            Ok(()) => {
                has_events |= is_events;
                outbox.send(Told::Kept(number, keeper.changes())).ok();
                outbox.send(Told::Armed(name)).ok();
            }
            // Older ERTS have no system events; that is in the node's gates.
            Err(error) if is_events => tracing::debug!(%error, name, "not switched on"),
            Err(error) => {
                outbox.send(Told::Alarm(format!("{NOTHING_HELD}: {error}"))).ok();
            }
        }
    }
    has_events
}

/// Why the node let go; nothing where the connection or we ended it.
fn why(end: &KeeperEnd) -> Option<String> {
    match end {
        KeeperEnd::Stopped | KeeperEnd::Connection => None,
        KeeperEnd::LeaseLapsed => {
            Some("the node did not hear from us in time and undid what was switched on".to_owned())
        }
        KeeperEnd::Killed => {
            Some("somebody at the node killed what holds our settings; they are undone".to_owned())
        }
        KeeperEnd::Other(why) => Some(format!("the node let go of what was switched on: {why}")),
        _ => Some("the node let go of what was switched on".to_owned()),
    }
}

/// `2 long_gc, 1 busy_port; the latest: long_gc shop_cart <0.123.0> [{timeout,150},…]`.
fn told(events: &SystemEvents) -> Option<String> {
    let mut counts = events.counts.clone();
    for (kind, count) in &events.counts_beyond {
        let sum = counts.entry(kind.clone()).or_default();
        *sum = sum.saturating_add(*count);
    }
    counts.retain(|_, count| *count > 0);
    if counts.is_empty() {
        return None;
    }
    let counts: Vec<String> =
        counts.iter().map(|(kind, count)| format!("{count} {kind}")).collect();
    let latest = events.events.last().map(|it| {
        let info: String = it.info.chars().take(INFO_CHARS_MAX).collect();
        let name = it.name.as_ref().map(|it| format!("{it} ")).unwrap_or_default();
        format!("; the latest: {} {name}{} {info}", it.kind, it.who)
    });
    Some(format!("the VM reports {}{}", counts.join(", "), latest.unwrap_or_default()))
}
