use super::node_state::SLOW_FAILURE;
use super::*;
use crate::bucket::remote::Security;
use crate::clock;

const LIMITS: ProbeLimits = ProbeLimits { first: Duration::from_millis(2500), longest: Duration::from_secs(30) };

fn node(name: &str) -> Endpoint {
    Endpoint::new(Security::Plain, name, 8093)
}

fn table(names: &[&str]) -> HealthTable {
    let mut table = HealthTable::new(LIMITS);
    table.set_nodes(&names.iter().map(|name| node(name)).collect::<Vec<_>>());
    table
}

fn timeout() -> BucketError {
    BucketError::timeout("a did not answer")
}

fn selected(table: &HealthTable, tried: &[&str]) -> Vec<String> {
    let tried: Vec<Endpoint> = tried.iter().map(|name| node(name)).collect();
    let mut hosts: Vec<String> = (0..100)
        .filter_map(|percent| match table.select(&tried, f64::from(percent) / 100.0) {
            Selection::Node(node) => Some(node.host),
            _ => None,
        })
        .collect();
    hosts.sort();
    hosts.dedup();
    hosts
}

/// The node as a probe finds it that is sent now.
fn suspect(table: &mut HealthTable, name: &str) -> DueProbe {
    let answers = table.entry(&node(name)).unwrap().answers;
    DueProbe { node: node(name), timeout: Duration::ZERO, started_at: clock::now(), answers }
}

fn fail_probe(table: &mut HealthTable, name: &str, took: Duration) -> Transition {
    let probe = suspect(table, name);
    table.probe_ended(&probe, ProbeOutcome::Failed(timeout(), took), clock::now(), 1.0)
}

fn answer_probe(table: &mut HealthTable, name: &str, took: Duration) -> Transition {
    let probe = suspect(table, name);
    table.probe_ended(&probe, ProbeOutcome::Answered, probe.started_at + took, 1.0)
}

/// The nodes that are probed once everything that is not up is due.
fn probed(table: &mut HealthTable) -> Vec<String> {
    let later = clock::now() + Duration::from_secs(60);
    table.start_due_probes(later).into_iter().map(|probe| probe.node.host).collect()
}

#[test]
fn requests_are_spread_over_what_is_up() {
    let mut table = table(&["a", "b", "c"]);
    assert_eq!(selected(&table, &[]), ["a", "b", "c"]);
    let now = clock::now();
    assert_eq!(table.failed(&node("b"), now), FailureAge::First);
    assert_eq!(selected(&table, &[]), ["a", "c"]);
    assert_eq!(selected(&table, &["a", "c"]), ["b"]);
    fail_probe(&mut table, "b", SLOW_FAILURE);
    assert_eq!(table.select(&[node("a")], 0.0), Selection::Node(node("c")));
    assert_eq!(table.select(&[node("a"), node("c")], 0.0), Selection::NoneLeft);
    assert_eq!(table.select(&[], 1.0), Selection::Node(node("c")));
    assert_eq!(table.alternatives(&[node("a"), node("c")]), Alternatives::None);
    assert_eq!(table.alternatives(&[node("a")]), Alternatives::Some);
}

#[test]
fn no_attempt_is_cut_short_for_a_node_that_is_worse() {
    let mut table = table(&["a", "b"]);
    table.failed(&node("b"), clock::now());
    assert_eq!(table.alternatives(&[node("a")]), Alternatives::None);
    assert!(table.is_as_good_as_any(&node("a")) && !table.is_as_good_as_any(&node("b")));
    table.failed(&node("a"), clock::now());
    assert_eq!(table.alternatives(&[node("a")]), Alternatives::Some);
    assert!(table.is_as_good_as_any(&node("b")));
}

#[test]
fn a_failure_is_recent_for_a_while() {
    let mut table = table(&["a"]);
    let now = clock::now();
    let a = node("a");
    assert_eq!(table.failed(&a, now), FailureAge::First);
    assert_eq!(table.failed(&a, now + RECENT / 2), FailureAge::Recent);
    assert_eq!(fail_probe(&mut table, "a", Duration::ZERO), Transition::BecameUnreachable);
    assert_eq!(table.failed(&a, now + RECENT), FailureAge::Lasting);
    assert_eq!(table.answered(&a, Duration::ZERO), Transition::CameUp);
    assert_eq!(table.failed(&a, now + RECENT), FailureAge::First);
}

#[test]
fn a_node_that_has_stopped_answering_keeps_few_requests_waiting() {
    let mut table = table(&["a", "b", "c"]);
    table.begin(&node("a"));
    assert_eq!(selected(&table, &[]), ["b", "c"]);
    table.begin(&node("b"));
    table.begin(&node("c"));
    assert_eq!(selected(&table, &[]), ["a", "b", "c"]);
    table.end(&node("c"));
    assert_eq!(selected(&table, &[]), ["c"]);
    table.failed(&node("c"), clock::now());
    assert_eq!(selected(&table, &[]), ["a", "b"]);
}

#[test]
fn requests_fail_at_once_only_when_probes_found_every_node_down() {
    let mut table = table(&["a", "b"]);
    let now = clock::now();
    table.failed(&node("a"), now);
    table.failed(&node("b"), now);
    assert_eq!(selected(&table, &[]), ["a", "b"]);
    assert_eq!(fail_probe(&mut table, "a", SLOW_FAILURE), Transition::WentDown);
    assert_eq!(selected(&table, &[]), ["b"]);
    assert_eq!(fail_probe(&mut table, "b", SLOW_FAILURE), Transition::WentDown);
    let Selection::AllDown(BucketError::Unavailable { reason }) = table.select(&[], 0.5) else {
        panic!("{:?}", table.select(&[], 0.5));
    };
    assert!(reason.ends_with("a did not answer"), "{reason}");
    assert_eq!(probed(&mut table), ["a", "b"]);
    assert_eq!(answer_probe(&mut table, "b", Duration::ZERO), Transition::CameUp);
    assert_eq!(selected(&table, &[]), ["b"]);
    fail_probe(&mut table, "a", SLOW_FAILURE);
    assert_eq!(probed(&mut table), ["a"]);
}

#[test]
fn a_node_that_fails_fast_is_asked_where_there_is_no_better_one() {
    let mut table = table(&["a"]);
    table.failed(&node("a"), clock::now());
    let quick = SLOW_FAILURE / 2;
    assert_eq!(fail_probe(&mut table, "a", quick), Transition::BecameUnreachable);
    assert_eq!(fail_probe(&mut table, "a", quick), Transition::None, "it is reported once");
    assert_eq!(selected(&table, &[]), ["a"]);
    fail_probe(&mut table, "a", SLOW_FAILURE);
    assert_eq!(selected(&table, &[]), Vec::<String>::new());
    assert_eq!(fail_probe(&mut table, "a", quick), Transition::None, "it does not answer yet");
    assert_eq!((selected(&table, &[]), probed(&mut table)), (vec!["a".to_owned()], vec!["a".to_owned()]));
    assert_eq!(answer_probe(&mut table, "a", quick), Transition::CameUp);
}

#[test]
fn a_failed_probe_says_nothing_of_a_node_that_has_answered_meanwhile() {
    let mut table = table(&["a"]);
    table.failed(&node("a"), clock::now());
    let probe = suspect(&mut table, "a");
    table.answered(&node("a"), Duration::ZERO);
    table.failed(&node("a"), clock::now());
    let failed = ProbeOutcome::Failed(timeout(), SLOW_FAILURE);
    assert_eq!(table.probe_ended(&probe, failed, clock::now(), 0.0), Transition::None);
    assert_eq!(selected(&table, &[]), ["a"]);
}

#[test]
fn what_must_be_changed_stays_so_while_requests_fail_at_once() {
    let mut table = table(&["a"]);
    let error = BucketError::misconfigured("the certificate is over");
    let probe = suspect(&mut table, "a");
    table.probe_ended(&probe, ProbeOutcome::Failed(error.clone(), SLOW_FAILURE), clock::now(), 0.0);
    assert_eq!(table.select(&[], 0.0), Selection::AllDown(error));
}

#[test]
fn new_nodes_keep_what_is_known_of_those_that_stay() {
    let mut table = table(&["a", "b"]);
    fail_probe(&mut table, "a", SLOW_FAILURE);
    table.set_nodes(&[node("a"), node("c"), node("c")]);
    assert_eq!(selected(&table, &[]), ["c"]);
    let is_good = |name| table.is_as_good_as_any(&node(name));
    assert!(!is_good("a") && !is_good("b") && is_good("c"));
    assert_eq!(probed(&mut table), ["a"]);
    assert_eq!(table.answered(&node("b"), Duration::ZERO), Transition::None);
    assert_eq!(HealthTable::new(LIMITS).select(&[], 0.0), Selection::Unknown);
}

#[test]
fn a_probe_may_take_longer_where_good_answers_took_longer() {
    let mut table = table(&["a"]);
    assert_eq!(table.first_probe_timeout(), SHORTEST_PROBE_TIMEOUT);
    answer_probe(&mut table, "a", Duration::from_millis(900));
    table.answered(&node("a"), Duration::from_millis(200));
    assert_eq!(table.first_probe_timeout(), Duration::from_millis(1800));
    table.answered(&node("a"), Duration::from_secs(9));
    assert_eq!(table.first_probe_timeout(), LIMITS.first);
    table.limits.first = Duration::from_millis(100);
    assert_eq!(table.first_probe_timeout(), Duration::from_millis(100));
}

#[test]
fn each_probe_that_waits_in_vain_gives_the_next_one_twice_the_time() {
    let mut table = table(&["a", "b"]);
    let mut now = clock::now();
    table.failed(&node("a"), now);
    let mut timeouts_ms = Vec::new();
    for _ in 0..8 {
        let due = table.start_due_probes(now);
        let [probe] = due.as_slice() else { panic!("{due:?}") };
        assert_eq!(table.start_due_probes(now + LIMITS.longest), [], "one probe of a node at a time");
        timeouts_ms.push(probe.timeout.as_millis());
        now += probe.timeout;
        table.probe_ended(probe, ProbeOutcome::Failed(timeout(), probe.timeout), now, 1.0);
        assert_eq!(table.start_due_probes(now), [], "a node has a rest between two probes");
        now = table.next_probe_at().unwrap();
    }
    assert_eq!(timeouts_ms, [500, 1000, 2000, 4000, 8000, 16_000, 30_000, 30_000]);
    table.answered(&node("a"), Duration::ZERO);
    assert_eq!(table.next_probe_at(), None, "a node that is up is not probed");
    table.failed(&node("a"), now);
    assert_eq!(table.start_due_probes(now)[0].timeout, SHORTEST_PROBE_TIMEOUT);
}

#[test]
fn a_node_that_errs_is_asked_where_no_other_is_well_and_returns_by_a_good_answer() {
    let mut table = table(&["a", "b"]);
    let now = clock::now();
    assert_eq!(table.answered_with_error(&node("a")), Transition::None);
    assert_eq!(selected(&table, &[]), ["a", "b"], "an error alone makes no node worse");
    assert_eq!(table.erred(&node("a"), now), Transition::BeganToErr);
    assert_eq!(table.erred(&node("a"), now), Transition::None);
    assert_eq!(selected(&table, &[]), ["b"]);
    assert!(!table.is_as_good_as_any(&node("a")));
    assert_eq!(table.alternatives(&[node("b")]), Alternatives::None);
    assert_eq!(table.alternatives(&[node("a")]), Alternatives::Some);

    assert_eq!(table.next_probe_at(), Some(now + ERRING_PROBE_INTERVAL));
    let probe = suspect(&mut table, "a");
    assert_eq!(table.probe_ended(&probe, ProbeOutcome::Erred, now, 1.0), Transition::None);
    assert_eq!(table.next_probe_at(), Some(probe.started_at + ERRING_PROBE_INTERVAL));
    assert_eq!(selected(&table, &[]), ["b"]);

    table.failed(&node("b"), now);
    assert_eq!(selected(&table, &[]), ["a"], "it is better than one that is out of reach");
    assert_eq!(answer_probe(&mut table, "a", Duration::ZERO), Transition::StoppedErring);
    assert_eq!(table.erred(&node("a"), now), Transition::BeganToErr);
    assert_eq!(table.answered(&node("a"), Duration::ZERO), Transition::StoppedErring);
}

#[test]
fn a_node_that_did_not_answer_and_answers_with_an_error_errs() {
    let mut table = table(&["a"]);
    table.failed(&node("a"), clock::now());
    fail_probe(&mut table, "a", SLOW_FAILURE);
    let probe = suspect(&mut table, "a");
    assert_eq!(table.probe_ended(&probe, ProbeOutcome::Erred, clock::now(), 1.0), Transition::CameUp);
    assert_eq!(selected(&table, &[]), ["a"]);
    assert_eq!(probed(&mut table), ["a"]);
}
