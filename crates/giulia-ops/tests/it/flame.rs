//! How a flame graph reads, as text and in each format: with names that want to be something else.

use std::{collections::BTreeMap, io::Read as _};

use flate2::read::GzDecoder;
use giulia_model::{
    Flame, FlameFunction, FlameGroup, FlameStack, Frame, Mfa, NotSeen, ThreadsBusy, Utilisation,
};
use giulia_ops::{Out, operation};
use serde_json::Value;

/// A name that would end a script, a line, a frame and a title, if it were believed.
const SLY: &str = "</script><b>;\n\"&'";

fn frame(module: &str, function: &str, arity: u32, line: Option<u32>) -> Frame {
    let file = line.map(|_| "lib/kv/bucket.ex".to_owned());
    Frame { function: Mfa::new(module, function, arity), file, line }
}

fn stacks() -> Vec<FlameStack> {
    let bucket = "Elixir.KV.Bucket";
    let server =
        || vec![frame("gen_server", "loop", 7, None), frame("proc_lib", "init_p", 3, None)];
    let of = |samples, group: &str, mut inner: Vec<Frame>, outer: Vec<Frame>, cut| {
        inner.extend(outer);
        FlameStack { samples, group: group.to_owned(), stack: inner, cut }
    };
    vec![
        of(
            70,
            "KV.Registry",
            vec![
                frame("lists", "sort", 1, None),
                frame(bucket, "-start_link/1-fun-0-", 0, Some(12)),
            ],
            server(),
            false,
        ),
        of(20, "KV.Registry", vec![frame(bucket, "put", 2, Some(30))], server(), false),
        of(5, "KV.Registry", vec![frame(bucket, "put", 2, Some(31))], server(), false),
        of(4, "{room,_}", vec![frame("shop", SLY, 1, None)], vec![], true),
        of(1, SLY, vec![], vec![], false),
    ]
}

fn sampled() -> Flame {
    let functions = [
        ("lists", "sort", 1, 70, 70),
        ("Elixir.KV.Bucket", "put", 2, 25, 25),
        ("gen_server", "loop", 7, 0, 95),
    ];
    let share = |it: u64| f64::from(u32::try_from(it).unwrap()) / 100.0;
    let threads = |total: f64, each: &[f64]| ThreadsBusy { total, each: each.to_vec() };
    let group =
        |name: &str, samples| FlameGroup { name: name.to_owned(), samples, share: share(samples) };
    Flame {
        schema: "giulia.flame/1".to_owned(),
        taken_at: "2026-03-01T12:00:00Z".to_owned(),
        node: "shop@db1".to_owned(),
        window_ms: 10_000.0,
        rounds: 1000,
        rate_hz: 100.0,
        processes: 300,
        samples: 100,
        samples_all: 110,
        margin_points: 9.8,
        brief: 3,
        brief_groups: vec![group("client", 3)],
        stacks: stacks(),
        groups: vec![group("KV.Registry", 95), group("{room,_}", 4), group(SLY, 1)],
        functions: functions
            .map(|(module, function, arity, own, total)| FlameFunction {
                function: Mfa::new(module, function, arity),
                self_samples: own,
                total_samples: total,
                self_share: share(own),
                total_share: share(total),
            })
            .to_vec(),
        utilisation: Some(Utilisation {
            normal: threads(0.5, &[0.9, 0.1]),
            dirty_cpu: threads(0.0, &[0.0, 0.0]),
            dirty_io: threads(0.0, &[0.0]),
        }),
        bias: vec!["Time in built-in functions appears at their caller.".to_owned()],
        not_seen: vec![NotSeen { what: "2 samples".to_owned(), why: "no room".to_owned() }],
        ..Flame::default()
    }
}

fn file(it: &Flame, format: &str) -> Vec<u8> {
    let answer = serde_json::to_value(it).unwrap();
    operation("flame").unwrap().file_of_json(answer, format).unwrap().unwrap()
}

fn text_file(format: &str) -> String {
    String::from_utf8(file(&sampled(), format)).unwrap()
}

#[test]
fn a_flame_graph_reads_without_a_picture() {
    let mut out = Out::plain(100);
    let answer = serde_json::to_value(sampled()).unwrap();
    operation("flame").unwrap().text_of_json(answer, &mut out).unwrap();
    insta::assert_snapshot!(out.text());
}

#[test]
fn folded_stacks_are_a_line_each_with_their_count_at_the_end() {
    let text = text_file("folded");
    insta::assert_snapshot!(text);
    let mut total = 0;
    for line in text.lines().filter(|it| !it.starts_with('#')) {
        let (_, count) = line.rsplit_once(' ').unwrap();
        total += count.parse::<u64>().unwrap();
    }
    assert_eq!(total, 100);
    // What says what it is, is no stack to anybody.
    assert!(text.lines().filter(|it| it.starts_with('#')).all(|it| it.ends_with('.')), "{text}");
}

#[test]
fn speedscope_profiles_add_up_and_point_at_frames_that_are_there() {
    let mut document: Value = serde_json::from_slice(&file(&sampled(), "speedscope")).unwrap();
    // With the version.
    document["exporter"] = "giulia".into();
    insta::assert_json_snapshot!(document);
    let frames = document["shared"]["frames"].as_array().unwrap().len();
    let mut totals = Vec::new();
    for profile in document["profiles"].as_array().unwrap() {
        let (samples, weights) =
            (profile["samples"].as_array().unwrap(), profile["weights"].as_array().unwrap());
        assert_eq!(samples.len(), weights.len());
        let places = samples.iter().flat_map(|it| it.as_array().unwrap());
        assert!(places.into_iter().all(|it| it.as_u64().unwrap() < u64::try_from(frames).unwrap()));
        totals.push(weights.iter().map(|it| it.as_u64().unwrap()).sum::<u64>());
    }
    assert_eq!(totals, [100, 95, 4, 1]);
}

#[test]
fn a_picture_holds_what_it_is_told_and_no_markup_of_others() {
    let svg = text_file("svg");
    insta::assert_snapshot!(svg);
    assert!(svg.contains("<title>KV.Registry: 95 samples, 95.0 %"), "{svg}");
    assert!(!svg.contains("<b>") && !svg.contains("<script"), "{svg}");
    let opened = svg.matches("<g>").count() + svg.matches("<g class").count();
    assert_eq!(opened, svg.matches("</g>").count());
}

#[test]
fn a_page_is_one_file_that_holds_its_figures() {
    let page = text_file("html");
    for outside in ["src=", "href=", "@import", "url(", "https://", "http://", "@DATA@"] {
        assert!(!page.contains(outside), "{outside}");
    }
    let (_, rest) = page.split_once(r#"<script id="data" type="application/json">"#).unwrap();
    let (data, _) = rest.split_once("</script>").unwrap();
    let data: Value = serde_json::from_str(data).unwrap();
    assert_eq!(data["root"][2], 100);
    let sly = SLY.to_owned();
    assert!(data["names"].as_array().unwrap().iter().any(|it| it == &sly));
    adds_up(&data["root"]);
}

#[test]
fn nothing_sampled_is_a_file_too() {
    let nothing = Flame { stacks: vec![], samples: 0, ..sampled() };
    for format in operation("flame").unwrap().formats() {
        assert!(!file(&nothing, format.name).is_empty(), "{}", format.name);
    }
}

/// Of a protocol buffer: each field with its number, as a whole number or as bytes. Written for this
/// test from the description of the encoding, so that it shares no mistake with the writer.
fn fields(mut bytes: &[u8]) -> Vec<(u64, u64, &[u8])> {
    fn varint(bytes: &mut &[u8]) -> u64 {
        let mut value = 0;
        for place in 0.. {
            let byte = bytes[0];
            *bytes = &bytes[1..];
            value += u64::from(byte % 128) * 128_u64.pow(place);
            if byte < 128 {
                break;
            }
        }
        value
    }
    let mut found = Vec::new();
    while !bytes.is_empty() {
        let key = varint(&mut bytes);
        match key % 8 {
            0 => found.push((key / 8, varint(&mut bytes), &bytes[..0])),
            2 => {
                let length = usize::try_from(varint(&mut bytes)).unwrap();
                found.push((key / 8, 0, &bytes[..length]));
                bytes = &bytes[length..];
            }
            other => panic!("a kind {other} that no profile has"),
        }
    }
    found
}

fn packed(bytes: &[u8]) -> Vec<u64> {
    // A field in front of each makes them readable by the same means.
    let mut ends = bytes.iter().map(|it| *it < 128);
    let mut values = vec![vec![]];
    for byte in bytes {
        values.last_mut().unwrap().push(*byte);
        if ends.next().unwrap() {
            values.push(vec![]);
        }
    }
    values.pop();
    let value =
        |it: Vec<u8>| it.iter().rev().fold(0_u64, |sum, byte| sum * 128 + u64::from(byte % 128));
    values.into_iter().map(value).collect()
}

#[test]
fn pprof_samples_name_their_functions_lines_and_groups() {
    let mut bytes = Vec::new();
    GzDecoder::new(file(&sampled(), "pprof").as_slice()).read_to_end(&mut bytes).unwrap();
    let whole = fields(&bytes);
    let of = |field: u64| whole.iter().filter(move |it| it.0 == field);
    let strings: Vec<&str> = of(6).map(|it| std::str::from_utf8(it.2).unwrap()).collect();
    assert_eq!(strings[0], "");
    let text = |place: u64| strings[usize::try_from(place).unwrap()];
    let numbers = |it: &[u8]| -> BTreeMap<u64, u64> {
        fields(it).into_iter().map(|(field, value, _)| (field, value)).collect()
    };
    let kinds: Vec<_> =
        of(1).map(|it| numbers(it.2)).map(|it| (text(it[&1]), text(it[&2]))).collect();
    assert_eq!(kinds, [("samples", "count"), ("cpu", "nanoseconds")]);
    let functions: BTreeMap<u64, &str> =
        of(5).map(|it| numbers(it.2)).map(|it| (it[&1], text(it[&2]))).collect();
    let locations: BTreeMap<u64, (u64, u64)> = of(4)
        .map(|it| {
            let line = fields(it.2).into_iter().find(|it| it.0 == 4).unwrap().2;
            let line = numbers(line);
            (numbers(it.2)[&1], (line[&1], line.get(&2).copied().unwrap_or_default()))
        })
        .collect();
    let mut seen = Vec::new();
    for (_, _, sample) in of(2) {
        let parts = fields(sample);
        let part = |field: u64| parts.iter().find(|it| it.0 == field).unwrap().2;
        let (places, values, label) = (packed(part(1)), packed(part(2)), numbers(part(3)));
        assert_eq!(values[1], values[0] * 10_000_000, "100 rounds a second");
        assert_eq!(text(label[&1]), "group");
        let (function, line) = locations[&places[0]];
        let outermost = functions[&locations[places.last().unwrap()].0];
        assert_eq!(outermost, text(label[&2]));
        seen.push((functions[&function], line, values[0]));
    }
    assert_eq!(seen[0], ("lists:sort/1", 0, 70));
    assert_eq!(seen[1], ("KV.Bucket.put/2", 30, 20));
    assert_eq!(seen[2], ("KV.Bucket.put/2", 31, 5));
    assert_eq!(seen[4].0, "(no stack)");
    assert_eq!(seen.iter().map(|it| it.2).sum::<u64>(), 100);
    assert_eq!(of(10).next().unwrap().1, 10_000_000_000);
    // Comments say what the figures are.
    assert!(of(13).any(|it| text(it.1).contains("built-in functions")));
}

/// Each box is as large as what stands on it and its own.
fn adds_up(it: &Value) {
    let children = it[4].as_array().unwrap();
    let above: u64 = children.iter().map(|it| it[2].as_u64().unwrap()).sum();
    assert_eq!(it[2].as_u64().unwrap(), above + it[3].as_u64().unwrap(), "{it}");
    children.iter().for_each(adds_up);
}
