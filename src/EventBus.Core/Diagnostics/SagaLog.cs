using Microsoft.Extensions.Logging;

namespace EventBus;

/// <summary>Defines the log messages about sagas.</summary>
/// <remarks>Log messages contain names and ids only: never a body, a header or a connection string.</remarks>
internal static partial class SagaLog
{
    [LoggerMessage(
        40,
        LogLevel.Warning,
        "The saga {Saga} {SagaId} failed at {Step} ({Direction}), attempt {Attempt}; the next attempt is due at {DueAt:O}")]
    public static partial void SagaWillRetry(
        this ILogger log,
        string saga,
        string sagaId,
        string step,
        string direction,
        int attempt,
        DateTimeOffset dueAt,
        Exception exception);

    [LoggerMessage(
        41,
        LogLevel.Warning,
        "The saga {Saga} {SagaId} failed for good at {Step} after {Attempts} attempts, and is compensated")]
    public static partial void SagaCompensates(
        this ILogger log,
        string saga,
        string sagaId,
        string step,
        int attempts,
        Exception? exception);

    [LoggerMessage(
        42,
        LogLevel.Critical,
        "The saga {Saga} {SagaId} needs attention at {Step}, shown by {ShownBy}: {Error}. Retry, skip or finish it (SagaManager)")]
    public static partial void SagaNeedsAttention(
        this ILogger log,
        string saga,
        string sagaId,
        string? step,
        string shownBy,
        string? error,
        Exception? exception);

    [LoggerMessage(43, LogLevel.Debug, "The saga {Saga} {SagaId} ended: {Status}")]
    public static partial void SagaEnded(this ILogger log, string saga, string sagaId, string status);

    [LoggerMessage(
        44,
        LogLevel.Information,
        "The reply {EventName} {EventId} for the saga {Saga} {SagaId} is ignored, because the saga does not wait for it")]
    public static partial void SagaReplyIgnored(this ILogger log, string eventName, string eventId, string saga, string sagaId);

    [LoggerMessage(
        45,
        LogLevel.Warning,
        "The saga {Saga} {SagaId} was taken over by another instance, because its lease was not renewed in time")]
    public static partial void SagaLost(this ILogger log, string saga, string sagaId);

    [LoggerMessage(
        46,
        LogLevel.Error,
        "The store did not accept a write of the saga {Saga} {SagaId} (attempt {Attempt}). The saga stands still, and the write is "
            + "repeated after {Backoff}")]
    public static partial void SagaNotSaved(
        this ILogger log,
        string saga,
        string sagaId,
        int attempt,
        TimeSpan backoff,
        Exception exception);

    [LoggerMessage(
        47,
        LogLevel.Warning,
        "The step {Step} of the saga {Saga} {SagaId} did not end after its token was cancelled and was abandoned; it may still be running")]
    public static partial void SagaStepLeftBehind(this ILogger log, string saga, string sagaId, string step);

    [LoggerMessage(
        48,
        LogLevel.Warning,
        "This instance does not run the saga {Saga} {SagaId}, because its state has version {StateVersion} and the application knows "
            + "version {KnownVersion}. Instances of a newer version of the application run it")]
    public static partial void SagaIsNewer(this ILogger log, string saga, string sagaId, int stateVersion, int knownVersion);

    [LoggerMessage(
        49,
        LogLevel.Warning,
        "The events of the saga {Saga} {SagaId} could not be sent; the saga stands still, and they are sent again at {DueAt:O}")]
    public static partial void SagaEventsWait(this ILogger log, string saga, string sagaId, DateTimeOffset dueAt, Exception exception);

    [LoggerMessage(50, LogLevel.Information, "The saga {Saga} {SagaId} is retried")]
    public static partial void SagaRetried(this ILogger log, string saga, string sagaId);

    [LoggerMessage(51, LogLevel.Information, "The saga {Saga} {SagaId} continues without {Step}: {Reason}")]
    public static partial void SagaSkipped(this ILogger log, string saga, string sagaId, string? step, string reason);

    [LoggerMessage(52, LogLevel.Information, "The saga {Saga} {SagaId} is finished by an operator: {Reason}")]
    public static partial void SagaFinished(this ILogger log, string saga, string sagaId, string reason);

    [LoggerMessage(53, LogLevel.Warning, "The clock jumped by {Jump}. Sagas that wait for replies wait {Grace} longer")]
    public static partial void ClockJumped(this ILogger log, TimeSpan jump, TimeSpan grace);

    [LoggerMessage(
        54,
        LogLevel.Warning,
        "{Count} sagas had not ended when the bus stopped. They are lost, because the store ({Store}) ends with the process")]
    public static partial void SagasLostAtStop(this ILogger log, long count, string store);

    [LoggerMessage(
        55,
        LogLevel.Error,
        "The event {EventName} {EventId} of the ended saga {Saga} {SagaId} is dropped, because the transport rejects it permanently")]
    public static partial void SagaEventDropped(
        this ILogger log,
        string saga,
        string sagaId,
        string eventName,
        string eventId,
        Exception exception);

    [LoggerMessage(
        56,
        LogLevel.Warning,
        "{Count} sagas in the store have not ended, but have names that this application does not register, so they are not resumed. "
            + "Register the sagas under their earlier names: bus.AddSaga<TSaga, TState>(\"...\")")]
    public static partial void SagasUnknown(this ILogger log, long count);
}
