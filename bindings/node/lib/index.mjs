// The package, for `import`: the names of index.cjs, and nothing of its own.
import tidings from './index.cjs'

export default tidings
export const {
  Engine, AttachmentContent, AttachmentWriter, EventStream, ChangeStream, RawPages, RawResponse, LogStream, LoopbackSignIn, DeviceSignIn, RootKey, Secret, ClientCertificate, TestClock,
  version, generateRootKey, loadOrCreateKey, wrappedRootKey, logs, onLog, attachmentFrom, mail, chat, reply, forward, channelPost, workflow, botMessage, toEndpoint, notifications, invokeResponse,
  TidingsError, InvalidInputError, LimitExceededError, NotConnectedError, NeedsReconnectError, ConsentMissingError, ForbiddenError,
  NotFoundError, ConflictError, ThrottledError, UpstreamError, NetworkError, OutcomeUnknownError, LinkRejectedError,
  TokenRejectedError, VaultLockedError, WrongKeyError, CorruptError, StoreBusyError, StoreFullError, CursorExpiredError, AppNotInstalledError, BotBlockedError, ConversationGoneError, CancelledError, ClosedError,
  ForkedError, InternalError,
} = tidings
