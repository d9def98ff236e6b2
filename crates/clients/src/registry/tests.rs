//! What answers of a registry mean, and what is done with those that are none.

use cutover_model::{Classified, ExitCode, Permanence};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use super::*;

#[test]
fn credentials_are_taken_out_of_addresses_and_never_shown() {
    let address = RegistryAddress::parse("http://u:p@w@one:81/apis, http://two:81/,");
    assert_eq!(address.shown(), "http://one:81/apis,http://two:81/");
    assert_eq!(address.user, "u");
    assert_eq!(address.password.reveal(), "p@w");
    assert!(!format!("{address:?}").contains("p@w"));
    let address = RegistryAddress::parse("http://one").with_credentials("me:se:cret");
    assert_eq!(
        (address.user.as_str(), address.password.reveal()),
        ("me", "se:cret")
    );
}

#[test]
fn the_question_goes_below_the_path_of_the_address() {
    let path = |address: &str| url(address, 7).map(|url| url.path().to_owned());
    assert_eq!(path("http://h:1").unwrap(), "/schemas/ids/7");
    assert_eq!(
        path("http://h:1/apis/ccompat/v7/").unwrap(),
        "/apis/ccompat/v7/schemas/ids/7"
    );
    for wrong in ["ftp://h:1", "h:1", "", "http://"] {
        let error = path(wrong).unwrap_err();
        assert_eq!(
            (error.code(), error.exit_code()),
            ("REGISTRY-ADDRESS-001", ExitCode::Usage)
        );
    }
}

#[test]
fn only_a_registry_s_own_words_mean_that_there_is_no_such_schema() {
    let of = |code: u16, body: &str| {
        answer(
            "http://h",
            StatusCode::from_u16(code).unwrap(),
            body.as_bytes(),
        )
    };
    assert_eq!(
        of(
            404,
            r#"{"error_code":40403,"message":"Schema 9 not found"}"#
        ),
        Ok(None)
    );
    let schema = of(200, r#"{"schema":"\"long\"","id":3}"#).unwrap().unwrap();
    assert_eq!(
        (schema.kind.as_str(), schema.text.as_str()),
        ("AVRO", "\"long\"")
    );
    let other = r#"{"schema":"x","schemaType":"PROTOBUF","references":[{"name":"a"}]}"#;
    let other = of(200, other).unwrap().unwrap();
    assert!(other.kind == "PROTOBUF" && other.refers);
    let cases = [
        (
            404,
            r#"{"error_code":404,"message":"HTTP 404 Not Found"}"#,
            ExitCode::Unreachable,
        ),
        (404, "<html>", ExitCode::Unreachable),
        (200, "<html>", ExitCode::Unreachable),
        (301, "", ExitCode::Unreachable),
        (401, "", ExitCode::Denied),
        (403, "{}", ExitCode::Denied),
    ];
    for (code, body, exit) in cases {
        let error = of(code, body).unwrap_err();
        assert_eq!(error.permanence(), Permanence::Definite, "{code} {body}");
        assert_eq!(error.exit_code(), exit, "{code} {body}");
    }
    for code in [429, 500, 503] {
        let error = of(code, r#"{"error_code":50001,"message":"a\nb"}"#).unwrap_err();
        assert_eq!(error.permanence(), Permanence::Transient);
        assert_eq!(error.exit_code(), ExitCode::Unreachable);
        assert!(error.to_string().ends_with("): a"), "{error}");
    }
}

#[tokio::test]
async fn nobody_at_the_address_is_an_error_after_a_few_attempts_not_a_missing_schema() {
    let free = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = free.local_addr().unwrap().port();
    drop(free);
    let registry = Registry::new(&RegistryAddress::parse(&format!("http://127.0.0.1:{port}")));
    let error = registry.schema(1).await.unwrap_err();
    assert_eq!(error.permanence(), Permanence::Transient);
    assert!(error.to_string().contains("refused"), "{error}");
    assert!(
        Registry::new(&RegistryAddress::parse(""))
            .schema(1)
            .await
            .is_err()
    );
}

/// An answer that never ends is given up at the limit; the listener is a socket, no registry.
#[tokio::test]
async fn an_endless_answer_is_given_up() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://u:p@{}", listener.local_addr().unwrap());
    let serving = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut question = [0_u8; 1024];
        let length = stream.read(&mut question).await.unwrap();
        let head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
        stream.write_all(head).await.unwrap();
        let chunk = [b"10000\r\n".as_slice(), &[b' '; 0x10000], b"\r\n"].concat();
        while stream.write_all(&chunk).await.is_ok() {}
        String::from_utf8_lossy(&question[..length]).into_owned()
    });
    let registry = Registry::new(&RegistryAddress::parse(&address));
    let error = registry.schema(5).await.unwrap_err();
    assert_eq!(error.code(), "REGISTRY-ANSWER-001");
    let question = serving.await.unwrap();
    assert!(question.starts_with("GET /schemas/ids/5 "), "{question}");
    assert!(question.contains("authorization: Basic dTpw"), "{question}");
}
