//! Each response of the table, which goes through the whole program in `tests/databases` too; and the paths of requests.

use super::*;
use crate::bucket::Cursor;
use crate::bucket::rest::Retry;
use crate::bucket::rest::test_tables::{self, Scripted, get_request, id, shown};

pub(super) fn protocol() -> Elasticsearch {
    Elasticsearch::new(&ElasticsearchSettings { index: "profiles".to_owned(), ..ElasticsearchSettings::default() })
}

#[test]
fn each_response_of_the_table_means_what_it_says() {
    let protocol = protocol();
    test_tables::check(include_str!("../../../tests/data/elasticsearch.json"), |response| {
        protocol.read_document(response, &id("johndoe"), "the peer")
    });
}

#[test]
fn no_byte_of_an_id_is_taken_for_something_else() {
    assert_eq!(get_request(&protocol(), "a+b/c %é").path, "/profiles/_doc/userprofile%3A%3Aa%2Bb%2Fc%20%25%C3%A9");
}

#[test]
fn a_document_comes_back_byte_for_byte() {
    let body = br#"{"_id":"userprofile::a","found":true,"_source": {"n":1.10, "u":"\u00e9"} }"#;
    let response = test_tables::response(200, None, std::str::from_utf8(body).unwrap());
    let read = protocol().read_document(&response, &id("a"), "the peer").unwrap();
    assert_eq!(read.found.unwrap().text(), br#"{"n":1.10, "u":"\u00e9"}"#);
}

/// An answer of a scroll with these ids.
fn ids(ids: &[&str]) -> String {
    let hits: Vec<_> = ids.iter().map(|id| serde_json::json!({"_id": id})).collect();
    let (shards, hits) = (serde_json::json!({"failed": 0}), serde_json::json!({"hits": hits}));
    serde_json::json!({"_scroll_id": "s", "timed_out": false, "_shards": shards, "hits": hits}).to_string()
}

#[test]
fn a_list_scrolls_ids_reads_their_documents_and_ends_the_scroll() {
    let documents = r#"{"docs":[{"_id":"userprofile::b","found":true,"_source":{"n": 1.0}}]}"#;
    let gone = r#"{"docs":[{"_id":"userprofile::a","found":false}]}"#;
    let (first, none) = (ids(&["userprofile::b", "other", "userprofile::a"]), ids(&[]));
    let responses = [
        Ok((200, "{}")),
        Ok((200, &*first)),
        Ok((200, documents)),
        Ok((200, gone)),
        Ok((200, &*none)),
        Ok((200, "{}")),
    ];
    let (mut exchange, protocol) = (Scripted::new(&responses), protocol());
    let (mut after, mut found) = (None, Vec::new());
    loop {
        let page = protocol.list(after.as_ref(), 1, &mut exchange).unwrap();
        found.extend(shown(&page).0);
        match page.next {
            Some(next) => after = Some(next),
            None => break,
        }
    }
    assert_eq!(found, [("userprofile::b".to_owned(), "{\"n\": 1.0}".to_owned())]);
    let asked = exchange.asked.join("\n");
    for part in [
        "/profiles/_refresh",
        "/profiles/_search?scroll=10m",
        r#"/profiles/_mget {"ids":["userprofile::b"]}"#,
        r#"/profiles/_mget {"ids":["userprofile::a"]}"#,
        r#"/_search/scroll {"scroll":"10m","scroll_id":"s"}"#,
        r#"/_search/scroll {"scroll_id":["s"]}"#,
    ] {
        assert!(asked.contains(part), "no {part} in\n{asked}");
    }
}

#[test]
fn a_scroll_whose_answer_is_lost_is_not_asked_again_and_one_with_holes_is_none() {
    let at_the_end = Cursor(r#"{"scroll":"s","ids":[]}"#.to_owned());
    let missing = r#"{"error":{"type":"search_phase_execution_exception","caused_by":{"type":"search_context_missing_exception"}}}"#;
    let holes = ids(&["userprofile::a"]).replace("\"failed\":0", "\"failed\":1");
    let routed = ids(&["userprofile::a"]).replace("\"_id\":", "\"_routing\":\"eu\",\"_id\":");
    assert!(routed.contains("_routing"));
    let late = ids(&["userprofile::a"]).replace("\"timed_out\":false", "\"timed_out\":true");
    for outcome in [
        Err(Failure::of_node(BucketError::unavailable("the connection broke"))),
        Err(Failure::of_node(BucketError::timeout("no answer")).with(Retry::Reconnect)),
        Err(Failure::too_large()),
        Ok((503, "")),
        Ok((429, "")),
        Ok((404, missing)),
        Ok((200, &*holes)),
        Ok((200, &*routed)),
        Ok((200, &*late)),
        Ok((200, "{\"_scroll")),
    ] {
        let failure = protocol().list(Some(&at_the_end), 10, &mut Scripted::new(&[outcome])).err().unwrap();
        assert_eq!(failure.retry, Retry::Never, "{failure:?}");
        // Or a shorter page would be asked for, behind what was lost.
        assert!(!failure.error.kind().is_of_one_document(), "{failure:?}");
    }
    // Documents can be asked for again, and are never taken for others.
    let with_ids = Cursor(r#"{"scroll":"s","ids":["userprofile::a"]}"#.to_owned());
    for (body, retry) in [
        (r#"{"docs":[{"_id":"userprofile::b","found":true,"_source":{}}]}"#, Retry::Never),
        (r#"{"docs":[]}"#, Retry::Never),
        (r#"{"docs":[{"_id":"userprofile::a","error":{"type":"x"}}]}"#, Retry::AfterPause),
        (r#"{"docs":[{"_id":"userpro"#, Retry::NextNode),
    ] {
        let failure = protocol().list(Some(&with_ids), 10, &mut Scripted::new(&[Ok((200, body))])).err().unwrap();
        assert_eq!(failure.retry, retry, "{body}: {failure:?}");
    }
}

#[test]
fn each_document_of_a_write_counts_and_a_full_disk_is_no_reason_to_wait() {
    let documents = [test_tables::new_document("a", "{\n}"), test_tables::new_document("b", "{}")];
    let there = Ok((404, r#"{"_id":"userprofiles::is-anybody-there","found":false}"#));
    let item = |status: u16, kind: &str| format!(r#"{{"index":{{"status":{status},"error":{{"type":"{kind}"}}}}}}"#);
    let of = |id: &str| format!(r#"{{"index":{{"_id":"{id}","status":201}}}}"#);
    let (stored, other) = (of("userprofile::a"), of("userprofile::b"));
    for (items, expected) in [
        (vec![stored.clone(), other.clone()], None),
        (vec![other.clone(), stored.clone()], Some((Retry::Never, "another document as stored"))),
        (vec![stored.clone()], Some((Retry::AfterPause, "named 1 of 2"))),
        (vec![stored.clone(), item(429, "es_rejected_execution_exception")], Some((Retry::AfterPause, "overloaded"))),
        (vec![stored.clone(), item(429, "cluster_block_exception")], Some((Retry::Never, "disk is too full"))),
        (vec![item(403, "cluster_block_exception"), other.clone()], Some((Retry::Never, "is blocked"))),
        (vec![item(400, "mapper_parsing_exception"), other], Some((Retry::Never, "\"userprofile::a\""))),
    ] {
        let body = format!(r#"{{"errors":true,"items":[{}]}}"#, items.join(","));
        let mut exchange = Scripted::new(&[there.clone(), Ok((200, &body))]);
        let failure = protocol().store(&documents, &mut exchange).err();
        assert_eq!(failure.as_ref().map(|failure| failure.retry), expected.map(|(retry, _)| retry), "{body}");
        let reason = failure.map_or(String::new(), |failure| failure.error.reason());
        assert!(reason.contains(expected.map_or("", |(_, part)| part)), "{reason}");
        let lines = "/profiles/_bulk {\"index\":{\"_id\":\"userprofile::a\"}}\n{ }\n{\"index\":{\"_id\":\"userprofile::b\"}}\n{}\n";
        assert_eq!(exchange.asked[1], lines);
    }
    let missing = Ok((404, r#"{"error":{"type":"index_not_found_exception"},"status":404}"#));
    let failure = protocol().store(&documents, &mut Scripted::new(&[missing])).err().unwrap();
    assert!(failure.error.reason().contains("it has no index"), "nothing is sent that would make it: {failure:?}");
}
