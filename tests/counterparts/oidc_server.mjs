// Somebody else's OAuth server (npm oidc-provider, certified) as the tests need it, on a free port of loopback.
// Beside its own endpoints: POST /__ctl changes what it does, GET /__ctl tells what it was asked; and /v1 is a provider
// in the chat-completions dialect that takes its access tokens, and nothing else, as long as they are good.
import { createServer } from 'node:http';
import Provider from 'oidc-provider';

const AS_IT_CAME = {
  access: 3600, // seconds that an access token is good
  device: 120, // seconds that a code for another device is good
  interval: 1, // seconds between two polls of one
  fail: 0, // so many calls of the token endpoint fail from now on …
  status: 503, // … with this status …
  error: 'temporarily_unavailable', // … and this code,
  retryAfter: 1, // … asking for a wait of so many seconds,
  wait: 0, // … after so many milliseconds,
  drop: false, // … or by a connection that is closed before anything was done
  dropAfter: 0, // so many calls are done, and their answers never arrive
};
let how = { ...AS_IT_CAME };
let log = [];
let issued = [];

const server = createServer();
await new Promise((ready) => server.listen(0, '127.0.0.1', ready));
const issuer = `http://127.0.0.1:${server.address().port}`;

const native = { application_type: 'native', token_endpoint_auth_method: 'none', response_types: ['code'] };
const provider = new Provider(issuer, {
  clients: [
    {
      ...native,
      client_id: 'native-cli',
      grant_types: ['authorization_code', 'refresh_token', 'urn:ietf:params:oauth:grant-type:device_code'],
      scope: 'openid profile email offline_access',
      redirect_uris: ['http://127.0.0.1/callback', 'http://localhost/auth/callback', 'http://[::1]/callback'],
    },
  ],
  routes: {
    authorization: '/oauth/authorize',
    token: '/oauth/token',
    revocation: '/oauth/revoke',
    introspection: '/oauth/introspect',
    device_authorization: '/oauth/device',
    code_verification: '/device',
  },
  scopes: ['openid', 'offline_access', 'profile', 'email'],
  claims: { openid: ['sub', 'https://api.example.test/auth'], email: ['email'], profile: ['name'] },
  conformIdTokenClaims: false,
  features: {
    devInteractions: { enabled: true },
    deviceFlow: { enabled: true },
    revocation: { enabled: true, allowedPolicy: () => true },
    introspection: { enabled: true, allowedPolicy: () => true },
  },
  clockTolerance: 0, // the default would keep tokens alive for 15 seconds after their end
  pkce: { required: () => true },
  rotateRefreshToken: true,
  issueRefreshToken: async (ctx, client, code) => code.scopes.has('offline_access'),
  ttl: {
    AccessToken: () => how.access,
    AuthorizationCode: 30,
    IdToken: 3600,
    RefreshToken: 3600,
    DeviceCode: () => how.device,
    Grant: 86400,
    Interaction: 300,
    Session: 86400,
  },
  findAccount: (ctx, id) => ({
    accountId: id,
    claims: () => ({
      sub: id,
      email: `${id}@example.test`,
      name: id,
      'https://api.example.test/auth': { account_id: `account-of-${id}`, team: 'crew' },
    }),
  }),
  cookies: { keys: ['not-a-secret'] },
});
provider.on('server_error', (ctx, error) => console.error('server_error', error));

async function read(ctx) {
  let body = '';
  for await (const chunk of ctx.req) body += chunk;
  return JSON.parse(body || '{}');
}

async function chat(ctx) {
  const token = await provider.AccessToken.find((ctx.get('authorization') || '').replace(/^Bearer /, ''));
  const asked = ctx.method === 'POST' ? await read(ctx) : {};
  log.push({ path: ctx.path, status: token ? 200 : 401, account: token?.accountId, at: Date.now() });
  if (!token) {
    ctx.status = 401;
    ctx.body = { error: { message: 'The access token is not good.', type: 'invalid_request_error', code: null } };
  } else if (ctx.path.endsWith('/models')) {
    ctx.body = { object: 'list', data: [{ id: 'small', object: 'model' }] };
  } else {
    const chunk = (delta, end) =>
      `data: ${JSON.stringify({ id: 'c', object: 'chat.completion.chunk', model: asked.model, choices: [{ index: 0, delta, finish_reason: end }] })}\n\n`;
    ctx.type = 'text/event-stream';
    ctx.body = chunk({ role: 'assistant', content: `hello ${token.accountId}` }, null) + chunk({}, 'stop') + 'data: [DONE]\n\n';
  }
}

function hangUp(ctx, entry) {
  ctx.respond = false;
  ctx.res.destroy();
  log.push({ path: ctx.path, at: Date.now(), ...entry });
}

provider.use(async (ctx, next) => {
  if (ctx.path === '/__ctl') {
    if (ctx.method === 'POST') {
      const asked = await read(ctx);
      if (asked.anew) [log, issued] = [[], []];
      how = { ...(asked.anew ? AS_IT_CAME : how), ...asked };
    }
    ctx.body = { log, issued };
    return;
  }
  if (ctx.path.startsWith('/v1/')) return chat(ctx);
  const token = ctx.path === '/oauth/token';
  if (token && how.fail > 0) {
    how.fail--;
    if (how.wait) await new Promise((over) => setTimeout(over, how.wait));
    if (how.drop) return hangUp(ctx, { dropped: 'before' });
    ctx.status = how.status;
    ctx.set('retry-after', String(how.retryAfter));
    ctx.body = { error: how.error };
    log.push({ path: ctx.path, status: ctx.status, injected: true, at: Date.now() });
    return;
  }
  await next();
  if (token && ctx.body?.access_token) issued.push(ctx.body.access_token, ctx.body.refresh_token, ctx.body.id_token);
  if (ctx.path === '/oauth/device' && ctx.body?.device_code) ctx.body = { ...ctx.body, interval: how.interval };
  const asked = { grant: ctx.oidc?.params?.grant_type, client: ctx.oidc?.params?.client_id, error: ctx.body?.error };
  if (token && how.dropAfter > 0) {
    how.dropAfter--;
    return hangUp(ctx, { ...asked, dropped: 'after', status: ctx.status });
  }
  if (ctx.path.startsWith('/oauth/') && ctx.method === 'POST')
    log.push({ path: ctx.path, status: ctx.status, ...asked, at: Date.now() });
});

server.on('request', provider.callback());
process.on('SIGTERM', () => process.exit(0));
console.log(`listening on ${issuer}`);
