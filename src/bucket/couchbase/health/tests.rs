use super::*;
use crate::clock;

fn node(name: &str) -> Endpoint {
    Endpoint { host: name.to_owned(), port: 8093 }
}

fn board(names: &[&str]) -> Board {
    let mut board = Board::default();
    board.set_nodes(&names.iter().map(|name| node(name)).collect::<Vec<_>>());
    board
}

fn timeout() -> BucketError {
    BucketError::Timeout { reason: "a did not answer".to_owned() }
}

fn chosen(board: &Board, tried: &[&str]) -> Vec<String> {
    let tried: Vec<Endpoint> = tried.iter().map(|name| node(name)).collect();
    let mut hosts: Vec<String> = (0..100)
        .filter_map(|percent| match board.choose(&tried, f64::from(percent) / 100.0) {
            Choice::Node(node) => Some(node.host),
            _ => None,
        })
        .collect();
    hosts.sort();
    hosts.dedup();
    hosts
}

/// The node as a probe finds it that is sent now.
fn doubt(board: &mut Board, name: &str) -> Doubt {
    board.entry(&node(name)).unwrap().doubt()
}

fn probe_in_vain(board: &mut Board, name: &str, took: Duration) -> Change {
    let doubt = doubt(board, name);
    board.probe_failed(&doubt, took, timeout(), clock::now())
}

fn in_doubt(board: &Board) -> Vec<String> {
    board.to_probe().into_iter().map(|doubt| doubt.node.host).collect()
}

#[test]
fn requests_are_spread_over_what_is_up() {
    let mut board = board(&["a", "b", "c"]);
    assert_eq!(chosen(&board, &[]), ["a", "b", "c"]);
    let now = clock::now();
    assert_eq!(board.failed(&node("b"), now), News::First);
    assert_eq!(chosen(&board, &[]), ["a", "c"]);
    assert_eq!(chosen(&board, &["a", "c"]), ["b"]);
    probe_in_vain(&mut board, "b", SILENCE);
    assert_eq!(board.choose(&[node("a")], 0.0), Choice::Node(node("c")));
    assert_eq!(board.choose(&[node("a"), node("c")], 0.0), Choice::NoneLeft);
    assert_eq!(board.choose(&[], 1.0), Choice::Node(node("c")));
    assert_eq!(board.others(&[node("a"), node("c")]), Others::None);
    assert_eq!(board.others(&[node("a")]), Others::Left);
}

#[test]
fn nobody_is_hurried_for_the_sake_of_a_node_that_is_worse() {
    let mut board = board(&["a", "b"]);
    board.failed(&node("b"), clock::now());
    assert_eq!(board.others(&[node("a")]), Others::None);
    assert!(board.is_as_good_as_any(&node("a")) && !board.is_as_good_as_any(&node("b")));
    board.failed(&node("a"), clock::now());
    assert_eq!(board.others(&[node("a")]), Others::Left);
    assert!(board.is_as_good_as_any(&node("b")));
}

#[test]
fn a_failure_is_news_for_a_moment() {
    let mut board = board(&["a"]);
    let now = clock::now();
    let a = node("a");
    assert_eq!(board.failed(&a, now), News::First);
    assert_eq!(board.failed(&a, now + MOMENT / 2), News::Recent);
    assert_eq!(probe_in_vain(&mut board, "a", Duration::ZERO), Change::Nothing);
    assert_eq!(board.failed(&a, now + MOMENT), News::Old);
    board.answered(&a, Duration::ZERO);
    assert_eq!(board.failed(&a, now + MOMENT), News::First);
}

#[test]
fn a_node_that_stands_still_keeps_few_requests_waiting() {
    let mut board = board(&["a", "b", "c"]);
    board.begin(&node("a"));
    assert_eq!(chosen(&board, &[]), ["b", "c"]);
    board.begin(&node("b"));
    board.begin(&node("c"));
    assert_eq!(chosen(&board, &[]), ["a", "b", "c"]);
    board.end(&node("c"));
    assert_eq!(chosen(&board, &[]), ["c"]);
    board.failed(&node("c"), clock::now());
    assert_eq!(chosen(&board, &[]), ["a", "b"]);
}

#[test]
fn requests_fail_at_once_only_when_probes_found_every_node_silent() {
    let mut board = board(&["a", "b"]);
    let now = clock::now();
    board.failed(&node("a"), now);
    board.failed(&node("b"), now);
    assert_eq!(chosen(&board, &[]), ["a", "b"]);
    assert_eq!(probe_in_vain(&mut board, "a", SILENCE), Change::FellSilent);
    assert_eq!(chosen(&board, &[]), ["b"]);
    assert_eq!(probe_in_vain(&mut board, "b", SILENCE), Change::FellSilent);
    let Choice::AllSilent(BucketError::Unavailable { reason }) = board.choose(&[], 0.5) else {
        panic!("{:?}", board.choose(&[], 0.5));
    };
    assert!(reason.ends_with("a did not answer"), "{reason}");
    assert_eq!(in_doubt(&board), ["a", "b"]);
    assert_eq!(board.probe_answered(&node("b"), Duration::ZERO), Change::CameBack);
    assert_eq!(chosen(&board, &[]), ["b"]);
    assert_eq!(in_doubt(&board), ["a"]);
}

#[test]
fn a_node_that_fails_fast_is_asked_where_there_is_no_better_one() {
    let mut board = board(&["a"]);
    board.failed(&node("a"), clock::now());
    let quick = SILENCE / 2;
    assert_eq!(probe_in_vain(&mut board, "a", quick), Change::Nothing);
    assert_eq!(chosen(&board, &[]), ["a"]);
    probe_in_vain(&mut board, "a", SILENCE);
    assert_eq!(chosen(&board, &[]), Vec::<String>::new());
    assert_eq!(probe_in_vain(&mut board, "a", quick), Change::CameBack);
    assert_eq!((chosen(&board, &[]), in_doubt(&board)), (vec!["a".to_owned()], vec!["a".to_owned()]));
}

#[test]
fn a_probe_in_vain_says_nothing_of_a_node_that_has_answered_meanwhile() {
    let mut board = board(&["a"]);
    board.failed(&node("a"), clock::now());
    let doubt = doubt(&mut board, "a");
    board.answered(&node("a"), Duration::ZERO);
    board.failed(&node("a"), clock::now());
    assert_eq!(board.probe_failed(&doubt, SILENCE, timeout(), clock::now()), Change::Nothing);
    assert_eq!(chosen(&board, &[]), ["a"]);
}

#[test]
fn what_must_be_changed_stays_so_while_requests_fail_at_once() {
    let mut board = board(&["a"]);
    let error = BucketError::Misconfigured { reason: "the certificate is over".to_owned() };
    let doubt = doubt(&mut board, "a");
    board.probe_failed(&doubt, SILENCE, error.clone(), clock::now());
    assert_eq!(board.choose(&[], 0.0), Choice::AllSilent(error));
}

#[test]
fn a_new_topology_keeps_what_is_known_of_those_who_stay() {
    let mut board = board(&["a", "b"]);
    probe_in_vain(&mut board, "a", SILENCE);
    board.set_nodes(&[node("a"), node("c"), node("c")]);
    assert_eq!(chosen(&board, &[]), ["c"]);
    let is_good = |name| board.is_as_good_as_any(&node(name));
    assert!(!is_good("a") && !is_good("b") && is_good("c"));
    assert_eq!(in_doubt(&board), ["a"]);
    assert_eq!(board.answered(&node("b"), Duration::ZERO), Change::Nothing);
    assert_eq!(Board::default().choose(&[], 0.0), Choice::Unknown);
}

#[test]
fn a_probe_is_as_patient_as_the_cluster_is_slow() {
    let mut board = board(&["a"]);
    let most = Duration::from_millis(2500);
    assert_eq!(board.patience(most), SHORTEST_PATIENCE);
    board.probe_answered(&node("a"), Duration::from_millis(900));
    board.answered(&node("a"), Duration::from_millis(200));
    assert_eq!(board.patience(most), Duration::from_millis(1800));
    board.answered(&node("a"), Duration::from_secs(9));
    assert_eq!(board.patience(most), most);
    assert_eq!(board.patience(Duration::from_millis(100)), Duration::from_millis(100));
}

#[test]
fn a_silent_node_has_one_patient_probe_at_a_time() {
    let mut board = board(&["a", "b"]);
    probe_in_vain(&mut board, "a", SILENCE);
    assert_eq!(board.begin_patient_probes().len(), 1);
    assert_eq!(board.begin_patient_probes(), []);
    board.patient_probe_is_over(&node("a"));
    assert_eq!(board.begin_patient_probes()[0].node, node("a"));
}
