//! Graphs of code: kept, replaced, listed, forgotten, and noticed when they are damaged.

use giulia_store::{ErrorKind, Mode, Store};
use rusqlite::Connection;

#[test]
fn a_graph_is_kept_until_it_is_replaced_or_forgotten() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("sessions.db");
    let store = Store::open(&path, Mode::ReadWrite).unwrap();
    store.save_graph("/srv/shop", "{\"n\":1}", b"first").unwrap();
    store.save_graph("shop@db1", "{}", &vec![7; 100_000]).unwrap();
    store.save_graph("/srv/shop", "{\"n\":2}", b"second").unwrap();
    drop(store);
    let store = Store::open(&path, Mode::ReadOnly).unwrap();
    let names: Vec<String> = store.graphs().unwrap().into_iter().map(|it| it.name).collect();
    assert_eq!(names, ["/srv/shop", "shop@db1"]);
    let (head, body) = store.graph("/srv/shop").unwrap().unwrap();
    assert_eq!((head.head.as_str(), body.as_slice()), ("{\"n\":2}", &b"second"[..]));
    assert_eq!(store.graph("shop@db1").unwrap().unwrap().1, vec![7; 100_000]);
    assert!(store.graph("/srv").unwrap().is_none());
    assert_eq!(store.save_graph("x", "", b"").unwrap_err().kind(), ErrorKind::ReadOnly);
    drop(store);
    let store = Store::open(&path, Mode::ReadWrite).unwrap();
    assert!(store.delete_graph("shop@db1").unwrap());
    assert!(!store.delete_graph("shop@db1").unwrap());
    assert_eq!(store.graphs().unwrap().len(), 1);
}

#[test]
fn a_damaged_graph_is_noticed() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("sessions.db");
    let store = Store::open(&path, Mode::ReadWrite).unwrap();
    let body: Vec<u8> = (0..10_000_u32).flat_map(u32::to_le_bytes).collect();
    store.save_graph("a", "{}", &body).unwrap();
    let db = Connection::open(&path).unwrap();
    let mut packed: Vec<u8> = db.query_row("SELECT body FROM graph", [], |it| it.get(0)).unwrap();
    let middle = packed.len() / 2;
    packed[middle] ^= 0x55;
    db.execute("UPDATE graph SET body = ?1", [packed]).unwrap();
    let error = store.graph("a").unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Corrupt);
    assert!(error.to_string().contains("index it again"), "{error}");
}
