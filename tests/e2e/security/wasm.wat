;; What it does to a request is told by the first letter of the field `x-do`:
;; l answers itself, h asks the server of `x-url`, t traps, e loops without end. Every request and response gets a field.
(module
  (import "env" "proxy_log" (func $log (param i32 i32 i32) (result i32)))
  (import "env" "proxy_get_buffer_bytes" (func $buffer (param i32 i32 i32 i32 i32) (result i32)))
  (import "env" "proxy_get_header_map_value" (func $get (param i32 i32 i32 i32 i32) (result i32)))
  (import "env" "proxy_add_header_map_value" (func $add (param i32 i32 i32 i32 i32) (result i32)))
  (import "env" "proxy_send_local_response"
    (func $reply (param i32 i32 i32 i32 i32 i32 i32 i32) (result i32)))
  (import "env" "proxy_http_call"
    (func $call (param i32 i32 i32 i32 i32 i32 i32 i32 i32 i32) (result i32)))
  (memory (export "memory") 2)
  ;; At 0: where a text is that was asked for, and its size. At 16: where the configuration is, and its size.
  (data (i32.const 64) "x-do")
  (data (i32.const 96) "x-url")
  (data (i32.const 128) "x-plugin")
  (data (i32.const 160) "x-answer")
  (data (i32.const 192) "answered by the plugin")
  (data (i32.const 224) "seen by the plugin")
  (global $top (mut i32) (i32.const 4096))
  (func (export "malloc") (param $size i32) (result i32)
    (global.get $top)
    (global.set $top (i32.add (global.get $top) (local.get $size))))
  (func (export "proxy_abi_version_0_2_0"))
  (func (export "proxy_on_context_create") (param i32 i32))
  (func (export "proxy_on_vm_start") (param i32 i32) (result i32) (i32.const 1))
  (func (export "proxy_on_configure") (param i32) (param $size i32) (result i32)
    (drop (call $buffer (i32.const 7) (i32.const 0) (local.get $size) (i32.const 16) (i32.const 20)))
    (i32.const 1))
  (func $sign (param $map i32)
    (drop (call $add (local.get $map) (i32.const 128) (i32.const 8) (i32.load (i32.const 16)) (i32.load (i32.const 20)))))
  (func (export "proxy_on_request_headers") (param i32 i32 i32) (result i32)
    (local $do i32)
    ;; What the request before has asked for is forgotten; the configuration in front of it stays.
    (global.set $top (i32.const 8192))
    (call $sign (i32.const 0))
    (drop (call $log (i32.const 2) (i32.const 224) (i32.const 18)))
    (if (i32.eqz (call $get (i32.const 0) (i32.const 64) (i32.const 4) (i32.const 0) (i32.const 4)))
      (then (local.set $do (i32.load8_u (i32.load (i32.const 0))))))
    (if (i32.eq (local.get $do) (i32.const 108)) ;; l
      (then (drop (call $reply (i32.const 403) (i32.const 0) (i32.const 0) (i32.const 192) (i32.const 22)
                               (i32.const 0) (i32.const 0) (i32.const -1)))))
    (if (i32.eq (local.get $do) (i32.const 104)) ;; h
      (then
        (drop (call $get (i32.const 0) (i32.const 96) (i32.const 5) (i32.const 0) (i32.const 4)))
        (drop (call $call (i32.load (i32.const 0)) (i32.load (i32.const 4)) (i32.const 0) (i32.const 0) (i32.const 0)
                          (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 500) (i32.const 8)))))
    (if (i32.eq (local.get $do) (i32.const 116)) (then (unreachable))) ;; t
    (if (i32.eq (local.get $do) (i32.const 101)) (then (loop $ever (br $ever)))) ;; e
    (i32.const 1))
  (func (export "proxy_on_http_call_response") (param i32 i32 i32) (param $size i32) (param i32)
    (drop (call $buffer (i32.const 4) (i32.const 0) (local.get $size) (i32.const 0) (i32.const 4)))
    (drop (call $add (i32.const 0) (i32.const 160) (i32.const 8) (i32.load (i32.const 0)) (i32.load (i32.const 4)))))
  (func (export "proxy_on_response_headers") (param i32 i32 i32) (result i32)
    (call $sign (i32.const 2))
    (i32.const 0))
  (func (export "proxy_on_done") (param i32) (result i32) (i32.const 1))
  (func (export "proxy_on_delete") (param i32)))
