// Users of Element: Element's own SDK with its Rust crypto, at the orders of the tests.
//
// Listens on the Unix socket that is its argument, and ends with its standard input. Each connection has clients of its
// own, which stop when it closes. An order is a line {"id", "client", "order", ...}; its answer a line {"id", "answer"}
// or {"id", "error"}. {"changed": CLIENT} comes by itself whenever that client would draw something anew.

import { createServer } from "node:net";
import { createInterface } from "node:readline";

import { UserId } from "@matrix-org/matrix-sdk-crypto-wasm";
import { ClientEvent, createClient, EventType, MatrixEventEvent, Preset, RoomEvent, Visibility } from "matrix-js-sdk";
import {
    AllDevicesIsolationMode,
    CryptoEvent,
    EventShieldColour,
    EventShieldReason,
    decodeRecoveryKey,
    OnlySignedDevicesIsolationMode,
} from "matrix-js-sdk/lib/crypto-api/index.js";
import { logger } from "matrix-js-sdk/lib/logger.js";

const ENCRYPTION = {
    type: EventType.RoomEncryption,
    state_key: "",
    content: { algorithm: "m.megolm.v1.aes-sha2" },
};

const CHANGES = [
    RoomEvent.Timeline,
    RoomEvent.LocalEchoUpdated,
    MatrixEventEvent.Decrypted,
    MatrixEventEvent.Replaced,
    CryptoEvent.DevicesUpdated,
    CryptoEvent.UserTrustStatusChanged,
];

/** A device of a user: logged in, with encryption, and synchronised once. */
class Client {
    constructor(user, password, sdk) {
        this.user = user;
        this.password = password;
        this.sdk = sdk;
    }

    static async loggedIn({ url, user, password, onlySigned }, changed) {
        const identifier = { type: "m.id.user", user };
        const door = createClient({ baseUrl: url, logger });
        const account = await door.loginRequest({ type: "m.login.password", identifier, password });
        const sdk = createClient({
            baseUrl: url,
            userId: account.user_id,
            deviceId: account.device_id,
            accessToken: account.access_token,
            logger,
            cryptoCallbacks: { getSecretStorageKey: ({ keys }) => client.storageKey(keys) },
        });
        const client = new Client(user, password, sdk);
        await sdk.initRustCrypto({ useIndexedDB: false });
        const mode = onlySigned ? new OnlySignedDevicesIsolationMode() : new AllDevicesIsolationMode(false);
        sdk.getCrypto().setDeviceIsolationMode(mode);
        CHANGES.forEach((change) => sdk.on(change, changed));
        await sdk.startClient({ lazyLoadMembers: true });
        await client.until(() => sdk.isInitialSyncComplete());
        await sdk.getCrypto().outgoingRequestsManager.doProcessOutgoingRequests(); // its keys are there for all
        return client;
    }

    /** Make the user's identity, and sign this device with it. */
    async signUp() {
        const auth = { type: "m.login.password", identifier: { type: "m.id.user", user: this.user } };
        await this.sdk.getCrypto().bootstrapCrossSigning({
            authUploadDeviceSigningKeys: (upload) => upload({ ...auth, password: this.password }),
        });
    }

    /** What a device has to know to be one of the user's own: for another's `beOneOf`. */
    async secrets() {
        return await this.sdk.getCrypto().exportSecretsBundle();
    }

    /** Be a signed device of the user who has these secrets. */
    async beOneOf({ secrets }) {
        const crypto = this.sdk.getCrypto();
        await crypto.userHasCrossSigningKeys(this.sdk.getUserId(), true);
        await crypto.importSecretsBundle(secrets);
        await crypto.crossSignDevice(this.sdk.getDeviceId());
    }

    /** Be a signed device of this user, by the account's recovery key, as after "Enter recovery key" in Element. */
    async recover({ key }) {
        this.recoveryKey = decodeRecoveryKey(key);
        const crypto = this.sdk.getCrypto();
        await crypto.userHasCrossSigningKeys(this.sdk.getUserId(), true);
        await crypto.bootstrapCrossSigning({});
        return { ready: await crypto.isCrossSigningReady(), ...(await crypto.getCrossSigningStatus()) };
    }

    /** Set the secret storage up, in the place of any other, with this user's identity; its recovery key. */
    async setUpRecovery() {
        const crypto = this.sdk.getCrypto();
        const key = await crypto.createRecoveryKeyFromPassphrase();
        this.recoveryKey = key.privateKey;
        await crypto.bootstrapSecretStorage({
            createSecretStorageKey: async () => key,
            setupNewSecretStorage: true,
            setupNewKeyBackup: true,
        });
        return key.encodedPrivateKey;
    }

    /** The key of the secret storage that its user typed, for whichever of *keys* is the default one. */
    async storageKey(keys) {
        const storage = this.sdk.secretStorage;
        const id = await storage.getDefaultKeyId();
        if (!(await storage.checkKey(this.recoveryKey, keys[id]))) {
            throw new Error("wrong recovery key");
        }
        return [id, this.recoveryKey];
    }

    /** A room, made as Element makes it; answers when this client knows it. */
    async createRoom({ invite, direct, encrypted }) {
        const { room_id: id } = await this.sdk.createRoom({
            invite,
            is_direct: direct,
            preset: direct ? Preset.TrustedPrivateChat : Preset.PrivateChat,
            visibility: Visibility.Private,
            initial_state: encrypted ? [ENCRYPTION] : [],
        });
        await this.until(() => this.sdk.getRoom(id)?.getMyMembership() === "join");
        return id;
    }

    async invite({ room, user }) {
        await this.sdk.invite(room, user);
    }

    async join({ room }) {
        await this.sdk.joinRoom(room);
        await this.until(() => this.sdk.getRoom(room)?.getMyMembership() === "join");
    }

    async send({ room, type, content }) {
        const { event_id: id } = await this.sdk.sendEvent(room, type, content);
        return id;
    }

    async redact({ room, event }) {
        await this.sdk.redactEvent(room, event);
    }

    /** All events of a room, oldest first, each as it would be drawn. */
    async read({ room: id }) {
        const room = this.sdk.getRoom(id);
        while (room.oldState.paginationToken !== null) {
            await this.sdk.scrollback(room, 100);
        }
        return await Promise.all(
            room
                .getLiveTimeline()
                .getEvents()
                .map((event) => this.view(event)),
        );
    }

    /** As Element does, it warns of the latest edit where there is one. */
    async view(event) {
        await event.getDecryptionPromise();
        const shown = event.replacingEvent() ?? event;
        const info = shown.isEncrypted() ? await this.sdk.getCrypto().getEncryptionInfoForEvent(shown) : null;
        return {
            event: event.getId(),
            sender: event.getSender(),
            type: event.getType(),
            content: event.getContent(), // after the latest edit
            original: event.getOriginalContent(),
            relation: event.getRelation(),
            encrypted: shown.isEncrypted(),
            failure: shown.decryptionFailureReason,
            shield: info && EventShieldColour[info.shieldColour],
            reason: info && info.shieldReason !== null ? EventShieldReason[info.shieldReason] : null,
        };
    }

    /** What this client makes of a user's identity, and of the user's devices: whether their owner signed them. */
    async trust({ user }) {
        const crypto = this.sdk.getCrypto();
        const status = await crypto.getUserVerificationStatus(user);
        const devices = (await crypto.getUserDeviceInfo([user], true)).get(user) ?? new Map();
        const signed = {};
        for (const device of devices.keys()) {
            signed[device] = (await crypto.getDeviceVerificationStatus(user, device)).signedByOwner;
        }
        return {
            known: status.known,
            verified: status.isCrossSigningVerified(),
            needsApproval: status.needsUserApproval,
            devices: signed,
        };
    }

    /** Ask for a user's keys; whether there are an identity and devices, all of them signed by it. */
    async meet({ user }) {
        const crypto = this.sdk.getCrypto();
        const machine = crypto.getOlmMachineOrThrow();
        await crypto.outgoingRequestProcessor.makeOutgoingRequest(machine.queryKeysForUsers([new UserId(user)]));
        const devices = (await machine.getUserDevices(new UserId(user))).devices();
        return devices.length > 0 && devices.every((device) => device.isCrossSignedByOwner());
    }

    /** Be sure of a user's identity, as after the comparison of emoji. */
    async verify({ user }) {
        const crypto = this.sdk.getCrypto();
        const identity = await crypto.getOlmMachineOrThrow().getIdentity(new UserId(user));
        await crypto.outgoingRequestProcessor.makeOutgoingRequest(await identity.verify());
    }

    /** A file of an encrypted message in Base64, read as Element does, with the cryptography of the browser. */
    async attachment({ file }) {
        const url = this.sdk.mxcUrlToHttp(file.url, undefined, undefined, undefined, false, true, true);
        const headers = { Authorization: `Bearer ${this.sdk.getAccessToken()}` };
        const sealed = await (await fetch(url, { headers })).arrayBuffer();
        const bytes = (text) => Buffer.from(text, "base64");
        const hash = Buffer.from(await crypto.subtle.digest("SHA-256", sealed));
        if (!hash.equals(bytes(file.hashes.sha256))) {
            throw new Error("the file has another hash");
        }
        const key = await crypto.subtle.importKey("jwk", file.key, { name: "AES-CTR" }, false, ["decrypt"]);
        const counter = { name: "AES-CTR", counter: bytes(file.iv), length: 64 };
        return Buffer.from(await crypto.subtle.decrypt(counter, key, sealed)).toString("base64");
    }

    async logOut() {
        await this.sdk.logout(true);
    }

    stop() {
        this.sdk.stopClient();
    }

    /** Look at *claim* after each sync, until it holds. */
    async until(claim) {
        while (!claim()) {
            await new Promise((resolve) => this.sdk.once(ClientEvent.Sync, resolve));
        }
    }
}

function serve(socket) {
    const clients = new Map();
    const write = (line) => socket.writable && socket.write(`${JSON.stringify(line)}\n`);

    async function carryOut({ client: name, order, ...details }) {
        if (order === "logIn") {
            const client = await Client.loggedIn(details, () => write({ changed: name }));
            clients.set(name, client);
            return client.sdk.getDeviceId();
        }
        return await clients.get(name)[order](details);
    }

    const orders = createInterface({ input: socket });
    orders.on("error", console.error); // it passes the socket's on, such as a write after the test has ended
    orders.on("line", async (line) => {
        const { id, ...what } = JSON.parse(line);
        try {
            write({ id, answer: (await carryOut(what)) ?? null });
        } catch (error) {
            write({ id, error: String(error) });
            console.error(what.order, error);
        }
    });
    socket.on("close", () => clients.forEach((client) => client.stop()));
    socket.on("error", console.error);
}

logger.setLevel("warn");
process.on("unhandledRejection", console.error); // of the SDK's own tasks, when a client stops
process.stdin.resume().on("end", () => process.exit());
createServer(serve).listen(process.argv[2], () => console.log("ready"));
