//! How the walk of the doctor reads.

use serde_json::json;

use giulia_ops::{Out, operation};

#[test]
fn the_first_failure_carries_its_fix_and_the_rest_is_quiet() {
    let check = |name: &str, status: &str, finding: &str, fix: Option<&str>| json!({"name": name, "status": status, "finding": finding, "fix": fix});
    let answer = json!({
        "schema": "giulia.doctor/1",
        "node": "shop@db1",
        "checks": [
            check("name", "pass", "a short name", None),
            check("tls", "skipped", "plain TCP", None),
            check("cookie", "fail", "the cookies differ", Some("erlang:get_cookie()")),
            check("version", "skipped", "not reached", None),
        ],
        "gates": [{"feature": "spans", "state": "off", "reason": "OTP-18839"}],
        "healthy": false,
    });
    let mut out = Out::plain(80);
    operation("doctor").unwrap().text_of_json(answer, &mut out).unwrap();
    insta::assert_snapshot!(out.text());
}
