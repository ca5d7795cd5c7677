//! The OpenAPI document, made from the types that answer ([`User`], [`ProblemBody`], [`ProblemCode`]).
//!
//! Invariant: compiled for tests only. The program holds the text that comes out, `openapi.json`.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use utoipa::openapi::example::ExampleBuilder;
use utoipa::openapi::header::HeaderBuilder;
use utoipa::openapi::path::{HttpMethod, OperationBuilder, ParameterBuilder, ParameterIn, PathItemBuilder};
use utoipa::openapi::schema::{AnyOfBuilder, ArrayBuilder, ObjectBuilder, Schema, Type};
use utoipa::openapi::{
    ComponentsBuilder, ContentBuilder, Header, InfoBuilder, LicenseBuilder, OpenApi, OpenApiBuilder, PathsBuilder, Ref,
    RefOr, Required, Response, ResponseBuilder, ResponsesBuilder,
};
use utoipa::{PartialSchema, ToSchema};

use crate::api::query::MAX_USERNAMES;
use crate::generated;
use crate::model::{MAX_USERNAME_BYTES, User};
use crate::problem::{Problem, ProblemBody, ProblemCode};

/// The codes that no request for one user leads to.
const NOT_OF_ONE: [ProblemCode; 2] = [ProblemCode::InvalidQuery, ProblemCode::NotFound];

/// The codes that are elements of an answer about several users, or that no request for them leads to.
const NOT_OF_SEVERAL: [ProblemCode; 4] =
    [ProblemCode::UserNotFound, ProblemCode::InvalidUsername, ProblemCode::InvalidDocument, ProblemCode::NotFound];

/// No control characters (Unicode category Cc). A schema counts characters, so it cannot say 233 bytes.
const USERNAME_PATTERN: &str = r"^[^\u0000-\u001f\u007f-\u009f]+$";

fn document() -> OpenApi {
    let info = InfoBuilder::new()
        .title("userprofiles")
        .version(env!("CARGO_PKG_VERSION"))
        .description(Some(
            "Public user profiles. Errors are problem documents (RFC 9457), or pages where `Accept` prefers them. HEAD is \
             answered as GET is, without the body; OPTIONS by 204 and `Allow`; a slash behind a username by 307 to the \
             path without it.",
        ))
        .license(Some(LicenseBuilder::new().name("MIT OR Apache-2.0").build()))
        .build();
    let one = OperationBuilder::new()
        .operation_id(Some("read_user_users__username__get"))
        .summary(Some("Read User"))
        .description(Some("Returns the public profile of one user."))
        .tag("users")
        .parameter(username(ParameterIn::Path))
        .parameters(Some(request_fields()))
        .responses(
            responses("/users/johndoe", &NOT_OF_ONE)
                .response("200", found("The profile.", Ref::from_schema_name("User").into(), one_user()))
                .response("304", not_modified()),
        );
    let several = OperationBuilder::new()
        .operation_id(Some("read_users_users_get"))
        .summary(Some("Read Users"))
        .description(Some(
            "Returns several public profiles, in the order of the names, each name as often as it is given. An element is a \
             profile, or the problem of this one name.",
        ))
        .tag("users")
        .parameter(username(ParameterIn::Query))
        .parameters(Some(request_fields()))
        .responses(
            responses("/users", &NOT_OF_SEVERAL)
                .response("200", found("The profiles, in the order of the names.", user_or_problem_list(), two_users()))
                .response("304", not_modified()),
        );
    OpenApiBuilder::new()
        .info(info)
        .paths(
            PathsBuilder::new()
                .path("/users", PathItemBuilder::new().operation(HttpMethod::Get, several.build()).build())
                .path("/users/{username}", PathItemBuilder::new().operation(HttpMethod::Get, one.build()).build())
                .build(),
        )
        .components(Some(
            ComponentsBuilder::new()
                .schema(User::name(), User::schema())
                .schema(ProblemBody::name(), ProblemBody::schema())
                .build(),
        ))
        .build()
}

fn username(place: ParameterIn) -> ParameterBuilder {
    let text = ObjectBuilder::new().schema_type(Type::String);
    let parameter = ParameterBuilder::new().name("username").required(Required::True);
    match place {
        ParameterIn::Query => {
            // What can be no username is a problem of this name, and not of the request.
            let names = ArrayBuilder::new().items(text).min_items(Some(1)).max_items(Some(MAX_USERNAMES));
            let help =
                format!("The users: 1 to {MAX_USERNAMES} names, each as often as it is wanted. A plus sign is `%2B`.");
            parameter
                .parameter_in(place)
                .description(Some(help))
                .schema(Some(names))
                .explode(Some(true))
                .example(Some(json!(["johndoe", "alice"])))
        }
        _ => {
            let name = text.min_length(Some(1)).max_length(Some(MAX_USERNAME_BYTES)).pattern(Some(USERNAME_PATTERN));
            let help = format!("The user: at most {MAX_USERNAME_BYTES} bytes of UTF-8, without control characters.");
            parameter.parameter_in(place).description(Some(help)).schema(Some(name)).example(Some(json!("johndoe")))
        }
    }
}

/// The fields that every operation reads.
fn request_fields() -> [ParameterBuilder; 3] {
    [
        ("If-None-Match", "The ETag of an answer that the client has: answered by 304 if it still holds."),
        ("If-Match", "The ETag that is expected: answered by 412 if it does not hold."),
        (
            "X-Request-Id",
            "1 to 64 visible ASCII characters other than `\"` and `\\`, by which the log knows the request.",
        ),
    ]
    .map(|(name, help)| {
        ParameterBuilder::new()
            .name(name)
            .parameter_in(ParameterIn::Header)
            .required(Required::False)
            .description(Some(help))
            .schema(Some(ObjectBuilder::new().schema_type(Type::String)))
    })
}

fn header(text: &str, example: &str) -> Header {
    HeaderBuilder::new()
        .schema(Some(ObjectBuilder::new().schema_type(Type::String)))
        .description(Some(text))
        .example(Some(example.into()))
        .build()
}

fn request_id() -> Header {
    header("The id of the request: the client's own, or a new one.", "6f1c3f3d5c1e4b0f9a7d2e8c4b6a1d03")
}

fn cache_control() -> Header {
    header("How long caches may use it.", "no-cache")
}

/// Adds the fields of an answer that has an entity tag.
fn with_tag(response: ResponseBuilder) -> ResponseBuilder {
    response
        .header("ETag", header("The strong entity tag of the body.", "\"5f2b8c0d9a7e4c3b1f6d2a8e7c9b0d14\""))
        .header("Cache-Control", cache_control())
        .header("X-Request-Id", request_id())
}

fn found(text: &str, schema: RefOr<Schema>, example: Value) -> Response {
    let content = ContentBuilder::new().schema(Some(schema)).example(Some(example)).build();
    with_tag(ResponseBuilder::new().description(text)).content("application/json", content).build()
}

fn not_modified() -> Response {
    with_tag(ResponseBuilder::new().description("It is still what the client has.")).build()
}

fn one_user() -> Value {
    json!({"username": "johndoe", "email": "johndoe@example.com", "full_name": "John Doe", "disabled": false})
}

fn two_users() -> Value {
    let missing = Problem::new(ProblemCode::UserNotFound, "User not found");
    json!([one_user(), missing.as_element()])
}

fn user_or_problem_list() -> RefOr<Schema> {
    let element = AnyOfBuilder::new()
        .item(Ref::from_schema_name("User"))
        .item(Ref::from_schema_name(ProblemBody::name().as_ref()));
    Schema::Array(ArrayBuilder::new().items(element).min_items(Some(1)).max_items(Some(MAX_USERNAMES)).build()).into()
}

/// Every problem but these, those of one status together.
fn responses(path: &str, without: &[ProblemCode]) -> ResponsesBuilder {
    let mut by_status: BTreeMap<u16, Vec<ProblemCode>> = BTreeMap::new();
    for code in ProblemCode::ALL.into_iter().filter(|code| !without.contains(code)) {
        by_status.entry(code.status()).or_default().push(code);
    }
    by_status.into_iter().fold(ResponsesBuilder::new(), |responses, (status, codes)| {
        responses.response(status.to_string(), problem_response(path, &codes))
    })
}

fn problem_response(path: &str, codes: &[ProblemCode]) -> Response {
    let titles: Vec<&str> = codes.iter().map(|code| code.title()).collect();
    let examples = codes.iter().map(|code| {
        let problem = Problem::new(*code, detail(*code));
        let value = json!(problem.body(Some(path), Some("6f1c3f3d5c1e4b0f9a7d2e8c4b6a1d03")));
        (code.as_str(), ExampleBuilder::new().summary(code.title()).value(Some(value)).build())
    });
    let content = ContentBuilder::new()
        .schema(Some(Ref::from_schema_name(ProblemBody::name().as_ref())))
        .examples_from_iter(examples)
        .build();
    // The page is not listed as content: generated clients, which do not ask for it, would have to tell it apart.
    let mut response = ResponseBuilder::new()
        .description(format!("{}. A page where `Accept` prefers one.", titles.join(", or ")))
        .content(Problem::MEDIA_TYPE, content)
        .header("Vary", header("`Accept` decides whether it is a problem document or a page.", "Accept"))
        .header("X-Request-Id", request_id());
    if codes.contains(&ProblemCode::UserNotFound) {
        response = response.header("Cache-Control", cache_control());
    }
    if codes.iter().any(|code| code.retry_after_s().is_some()) {
        response = response.header("Retry-After", header("In how many seconds it is worth asking again.", "1"));
    }
    if codes.contains(&ProblemCode::MethodNotAllowed) {
        response = response.header("Allow", header("The methods that are allowed.", crate::problem::ALLOWED_METHODS));
    }
    response.build()
}

/// What the examples have for a detail.
fn detail(code: ProblemCode) -> &'static str {
    match code {
        ProblemCode::UserNotFound => "User not found",
        code => code.explanation().meaning,
    }
}

#[test]
fn the_document_is_what_the_types_say() {
    let text = document().to_pretty_json().unwrap() + "\n";
    assert!(!text.contains("hashed_password"));
    generated::assert_file("src/api/docs/openapi.json", &text);
}
