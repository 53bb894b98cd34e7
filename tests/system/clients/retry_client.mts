// Retries a failed execution by the client made from the document, and prints what it was told.

import assert from "node:assert/strict";
import createClient from "openapi-fetch";
import type { paths } from "./openapi.mjs";

const { SERVICE_URL, API_KEY, TENANT, EXECUTION_ID } = process.env;
assert(SERVICE_URL && API_KEY && TENANT && EXECUTION_ID);
const client = createClient<paths>({ baseUrl: SERVICE_URL, headers: { "x-api-key": API_KEY } });
const EXECUTION = "/api/v1/automation/executions/{execution_id}";
const path = { execution_id: EXECUTION_ID };

const read = await client.GET(EXECUTION, { params: { path, header: { "x-tenant-id": TENANT } } });
assert(read.data?.data.completed_at);

const header = { "Idempotency-Key": "order 4711" };
const retried = await client.POST(`${EXECUTION}/retry`, { params: { path, header } });
assert(retried.data);
const replayed = await client.POST(`${EXECUTION}/retry`, { params: { path, header } });

const again = (await client.POST(`${EXECUTION}/retry`, { params: { path } })).error?.error;
assert(again?.code === "BAD_REQUEST" && "details" in again);

const query = { page: 1, limit: 10 };
const attempts = await client.GET(`${EXECUTION}/attempts`, { params: { path, query } });
assert(attempts.data);
const total: number = attempts.data.pagination.total;
const [attempt] = attempts.data.data;
assert(attempt);

const nobody = { execution_id: "00000000-0000-0000-0000-000000000000" };
const missing = (await client.GET(EXECUTION, { params: { path: nobody } })).error?.error;
assert(missing?.code === "NOT_FOUND");

const { data } = retried.data;
console.log(JSON.stringify({
  "failed at": read.data.data.failed_action_index,
  "completed in": new Date(read.data.data.completed_at).getUTCFullYear(),
  link: read.data.data._links.retry,
  retried: [data.status, data.retry_count, data.completed_at],
  replayed: [replayed.response.status, replayed.response.headers.get("Idempotent-Replayed")],
  attempts: [total, attempt.attempt, attempt.error_message],
  again: [again.code, again.details.status, again.details.retry_count],
  missing: [missing.code, missing.message],
}));
