//! The rules of the head, as a table: what is sent, and what becomes of it.

use super::*;

fn outcome(input: &str) -> Result<Option<Head>, Refusal> {
    match parse(input.as_bytes(), &["x-test"]) {
        Parsed::Complete(head, length) => {
            assert_eq!(length, input.len(), "{input:?}");
            Ok(Some(head))
        }
        Parsed::Incomplete => Ok(None),
        Parsed::Refused(refusal) => Err(refusal),
    }
}

#[test]
fn complete_heads() {
    for (input, method, target) in [
        ("GET / HTTP/1.1\r\nHost: x\r\n\r\n", "GET", "/"),
        ("GET /a?b=c HTTP/1.1\r\nhOST:x\r\n\r\n", "GET", "/a?b=c"),
        ("get /a HTTP/1.1\r\nHost: x\r\n\r\n", "get", "/a"),
        ("GET /a HTTP/1.0\r\n\r\n", "GET", "/a"),
        ("GET /a HTTP/1.9\r\nHost: x\r\n\r\n", "GET", "/a"),
        ("GET http://h:80/a?b HTTP/1.1\r\nHost: x\r\n\r\n", "GET", "/a?b"),
        ("GET HTTP://h HTTP/1.1\r\nHost: x\r\n\r\n", "GET", "/"),
        ("GET http://h?a=b HTTP/1.1\r\nHost: x\r\n\r\n", "GET", "/?a=b"),
        ("OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n", "OPTIONS", "*"),
        ("GET / HTTP/1.1\r\nHost: x\r\nA:\r\nB: \t\u{e9}\t\r\n\r\n", "GET", "/"),
        ("GET / HTTP/1.1\r\nHost: x\r\nContent_Length: 5\r\nUpgrade: h2c\r\n\r\n", "GET", "/"),
    ] {
        let head = outcome(input).unwrap().unwrap_or_else(|| panic!("incomplete: {input:?}"));
        assert_eq!((head.method.as_str(), head.target.as_str()), (method, target), "{input:?}");
        assert_ne!(head.persistence, Persistence::Close, "{input:?}");
    }
}

#[test]
fn refused_heads() {
    use Refusal as R;
    let long_target = format!("GET /{} HTTP/1.1\r\nHost: x\r\n\r\n", "a".repeat(9000));
    let long_method = "A".repeat(MAX_REQUEST_LINE_BYTES + 1);
    let long_value = format!("GET / HTTP/1.1\r\nHost: x\r\nA: {}", "a".repeat(MAX_HEAD_BYTES));
    let many_fields = format!("GET / HTTP/1.1\r\nHost: x\r\n{}\r\n", "a: b\r\n".repeat(100));
    let lines = [
        ("GET / HTTP/1.1\nHost: x\n\n", R::LineEnd),
        ("GET / HTTP/1.1\r\nHost: x\n\r\n", R::LineEnd),
        ("GET / HTTP/1.1\r\nHost: x\r\n\n", R::LineEnd),
        ("GET / HTTP/1.1\rX", R::LineEnd),
        ("\nGET / HTTP/1.1\r\n", R::LineEnd),
        ("GET  / HTTP/1.1\r\n", R::RequestLine),
        ("GET / HTTP/1.1 \r\n", R::RequestLine),
        ("GET /\r\n\r\n", R::RequestLine),
        ("GET\r\n", R::RequestLine),
        ("GET / b HTTP/1.1\r\n", R::Version),
        (" GET / HTTP/1.1\r\n", R::Method),
        ("G@T / HTTP/1.1\r\n", R::Method),
        ("CONNECT x:80 HTTP/1.1\r\nHost: x:80\r\n\r\n", R::Connect),
        ("GET * HTTP/1.1\r\n", R::Target),
        ("GET a HTTP/1.1\r\n", R::Target),
        ("GET /\u{e9} HTTP/1.1\r\n", R::Target),
        ("GET /a\0b HTTP/1.1\r\n", R::Target),
        ("GET /a#b HTTP/1.1\r\n", R::Target),
        ("GET ftp://x/ HTTP/1.1\r\n", R::Target),
        ("GET https://x/ HTTP/1.1\r\n", R::Target),
        ("GET http:///a HTTP/1.1\r\n", R::Target),
        ("GET http://u@x/a HTTP/1.1\r\n", R::Target),
        ("GET / http/1.1\r\n", R::Version),
        ("GET / HTTP/1.x\r\n", R::Version),
        ("GET / HTTP/1.10\r\n", R::Version),
        ("GET / HTTP/2.0\r\n", R::VersionNotSupported),
        ("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", R::VersionNotSupported),
        (&long_target, R::RequestLineTooLong),
        (&long_method, R::MethodTooLong),
        (&long_value, R::HeadTooLarge),
        (&many_fields, R::TooManyFields),
    ];
    let fields = [
        ("", R::Host),
        ("Host: x\r\nHost: x\r\n", R::Host),
        ("Host:\r\n", R::Host),
        ("Host: a b\r\n", R::Host),
        ("Host: x\r\nA : b\r\n", R::Field),
        ("Host: x\r\nA\r\n", R::Field),
        ("Host: x\r\n: b\r\n", R::Field),
        ("Host: x\r\nA: a\r\n b\r\n", R::Field),
        ("Host: x\r\nA: a\0b\r\n", R::Field),
        ("Host: x\r\nA: a\u{1}b\r\n", R::Field),
        ("Host: x\r\nA: a\u{7f}b\r\n", R::Field),
        ("Host: x\r\nContent-Length: 1\r\nContent-Length: 1\r\n", R::ContentLength),
        ("Host: x\r\nContent-Length: 1, 1\r\n", R::ContentLength),
        ("Host: x\r\nContent-Length: -1\r\n", R::ContentLength),
        ("Host: x\r\nContent-Length: +1\r\n", R::ContentLength),
        ("Host: x\r\nContent-Length: 0x1\r\n", R::ContentLength),
        ("Host: x\r\nContent-Length:\r\n", R::ContentLength),
        ("Host: x\r\nContent-Length: 18446744073709551616\r\n", R::ContentLength),
        ("Host: x\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n", R::TransferEncoding),
        ("Host: x\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", R::TransferEncoding),
        ("Host: x\r\nTransfer-Encoding: chunked, chunked\r\n", R::TransferEncoding),
        ("Host: x\r\nTransfer-Encoding: chunked, gzip\r\n", R::TransferEncoding),
        ("Host: x\r\nTransfer-Encoding:\r\n", R::TransferEncoding),
        ("Host: x\r\nTransfer-Encoding: gzip, chunked\r\n", R::UnknownTransferCoding),
        ("Host: x\r\nTransfer-Encoding: xchunked\r\n", R::TransferEncoding),
        ("Host: x\r\nTransfer-Encoding: gzip\r\n", R::TransferEncoding),
        ("Host: x\r\nExpect: 200-maybe\r\n", R::Expectation),
        // What RFC 9112 wants a 400 for comes first, wherever it stands.
        ("Expect: 200-maybe\r\n", R::Host),
        ("Expect: 200-maybe\r\nHost: x\r\nHost: y\r\n", R::Host),
        ("Transfer-Encoding: gzip, chunked\r\n", R::Host),
        ("Host: x\r\nExpect: 200-maybe\r\nContent-Length: x\r\n", R::ContentLength),
        ("Host: x\r\nExpect: 200-maybe\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n", R::TransferEncoding),
    ];
    let fields = fields.map(|(fields, refusal)| (format!("POST / HTTP/1.1\r\n{fields}\r\n"), refusal));
    let all = lines.map(|(head, refusal)| (head.to_owned(), refusal)).into_iter().chain(fields);
    for (input, expected) in all {
        let shown: String = input.chars().take(80).collect();
        assert_eq!(outcome(&input), Err(expected), "{shown:?}");
    }
    for fields in ["", "Host: a b\r\n", "Host: x\r\nHost: y\r\n"] {
        assert_eq!(outcome(&format!("CONNECT x:80 HTTP/1.1\r\n{fields}\r\n")), Err(R::Host), "{fields:?}");
    }
    let in_http_10 = "POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n";
    assert_eq!(outcome(in_http_10), Err(R::TransferEncoding));
}

#[test]
fn what_can_be_told_of_a_refused_head_does_not_depend_on_how_much_of_it_is_there() {
    let told = |input: &str| {
        of_refused(input.as_bytes(), &["x-test"]).map(|head| (head.method, head.target, head.fields.len()))
    };
    let some = |method: &str, target: &str, fields| Some((method.to_owned(), target.to_owned(), fields));
    let head = "PUT /a?b HTTP/1.1\r\nX-Test: a\r\nExpect: c\r\n\r\n";
    let line_length = head.find('\n').unwrap() + 1;
    for length in 0..head.len() {
        let expected = (length >= line_length).then(|| some("PUT", "/a?b", 0)).flatten();
        assert_eq!(told(&head[..length]), expected, "{length}");
    }
    assert_eq!(told(head), some("PUT", "/a?b", 1));
    assert_eq!(told(&format!("{head}more")), some("PUT", "/a?b", 1));
    assert_eq!(told(&head.replace("Expect:", "Expect :")), some("PUT", "/a?b", 0));
    assert_eq!(told("GET / HTTP/2.0\r\n\r\n"), None);
}

#[test]
fn every_beginning_of_a_valid_head_is_incomplete() {
    let head = "\
        OPTIONS http://[::1]:80/a%20b?c HTTP/1.1\r\nHost: x\r\nX-Test: a\r\nx-test: b\r\nConnection: foo, close\r\n\
        Expect: 100-continue\r\n\r\n";
    for length in 0..head.len() {
        assert_eq!(outcome(&head[..length]), Ok(None), "{:?}", &head[..length]);
    }
    let complete = outcome(head).unwrap().unwrap();
    assert_eq!(complete.fields, [("x-test".to_owned(), "a, b".to_owned())]);
    assert_eq!(complete.persistence, Persistence::LastRequest);
}

#[test]
fn every_beginning_of_the_longest_request_line_is_incomplete() {
    let target = "a".repeat(MAX_REQUEST_LINE_BYTES - "GET / HTTP/1.1".len());
    let head = format!("GET /{target} HTTP/1.1\r\nHost: x\r\n\r\n");
    for length in MAX_REQUEST_LINE_BYTES - 20..head.len() {
        assert_eq!(outcome(&head[..length]), Ok(None), "{length}");
    }
    assert!(outcome(&head).unwrap().is_some());
    let longer = head.replacen("/a", "/aa", 1);
    assert_eq!(outcome(&longer[..MAX_REQUEST_LINE_BYTES]), Ok(None));
    // Whatever its last byte is, and what else comes with it.
    for longer in [longer, head.replacen("HTTP/1.1\r", "HTTP/1.\n", 1).replacen("/a", "/aa", 1)] {
        for length in MAX_REQUEST_LINE_BYTES + 1..longer.len() {
            assert_eq!(outcome(&longer[..length]), Err(Refusal::RequestLineTooLong), "{length}");
        }
    }
}

#[test]
fn what_lies_past_the_largest_head_decides_nothing() {
    let head = format!("GET / HTTP/1.1\r\nHost: x\r\nA: {}", "a".repeat(MAX_HEAD_BYTES));
    for behind in ["", "\r\n\r\n", "\n", "\0", "\r\n b\r\n\r\n"] {
        for length in [MAX_HEAD_BYTES, MAX_HEAD_BYTES + 1, head.len()] {
            assert_eq!(outcome(&format!("{}{behind}", &head[..length])), Err(Refusal::HeadTooLarge));
        }
    }
}

#[test]
fn what_follows_an_answer() {
    use Persistence::{Close, KeepAlive, LastRequest};
    for (version, fields, persistence) in [
        ("1.1", "", KeepAlive),
        ("1.1", "Connection: CLOSE\r\n", LastRequest),
        ("1.1", "Connection: keep-alive\r\nConnection: x, close\r\n", LastRequest),
        ("1.0", "", LastRequest),
        ("1.0", "Connection: Keep-Alive\r\n", KeepAlive),
        ("1.1", "Content-Length: 0\r\n", KeepAlive),
        ("1.1", "Content-Length: 1\r\n", Close),
        ("1.1", "Connection: close\r\nContent-Length: 1\r\n", Close),
        ("1.0", "Content-Length: 1\r\n", Close),
        ("1.1", "Content-Length: 18446744073709551615\r\n", Close),
        ("1.1", "Transfer-Encoding: Chunked\r\n", Close),
    ] {
        let head = outcome(&format!("GET / HTTP/{version}\r\nHost: x\r\n{fields}\r\n")).unwrap().unwrap();
        assert_eq!(head.persistence, persistence, "{fields:?}");
    }
}

#[test]
fn empty_lines_before_a_request_line_are_counted_in_pairs() {
    for (input, expected) in [("", 0), ("\r", 0), ("\r\n", 2), ("\r\n\r\nGET", 4), ("\r\n\rX", 2), ("\n", 0)] {
        assert_eq!(leading_empty_lines(input.as_bytes()), expected, "{input:?}");
    }
}
