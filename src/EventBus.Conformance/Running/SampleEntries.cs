using System.Text;
using EventBus.Stores;

namespace EventBus.Conformance;

/// <summary>Creates sample entries and sagas for the stores of a run.</summary>
internal static class SampleEntries
{
    /// <summary>Creates an entry that failed once and waits for its retry.</summary>
    /// <param name="run">The run.</param>
    /// <param name="id">The event id.</param>
    /// <param name="due">The due time, in seconds from the start of the run.</param>
    /// <param name="line">The key of its line; null for no line.</param>
    public static FailedEvent Waiting(this StoreRun run, string id, double due = 0, string? line = null) => new()
    {
        Subscription = Sample.Subscription,
        Envelope = Sample.Event(id),
        Status = FailedEventStatus.Waiting,
        LineKey = line,
        Attempts = 1,
        DueAt = run.In(due),
        FirstFailedAt = run.Now,
        LastFailedAt = run.Now,
        Error = "It failed.",
    };

    /// <summary>Creates an entry that waits behind another one of its line.</summary>
    public static FailedEvent Parked(this StoreRun run, string id, string line) =>
        run.Waiting(id, line: line) with { Status = FailedEventStatus.Parked, Attempts = 0, DueAt = default };

    /// <summary>Creates a dead letter after four attempts.</summary>
    public static FailedEvent Dead(
        this StoreRun run,
        string id,
        string? line = null,
        DeadLetterReason reason = DeadLetterReason.HandlerFailed) =>
        run.Waiting(id, line: line) with { Status = FailedEventStatus.Dead, Reason = reason, Attempts = 4, DueAt = default };

    /// <summary>Creates an entry that an order guard defers.</summary>
    /// <param name="run">The run.</param>
    /// <param name="id">The event id.</param>
    /// <param name="key">The order key.</param>
    /// <param name="position">The number of the event; null for none.</param>
    /// <param name="due">The due time, in seconds from the start of the run.</param>
    public static FailedEvent Deferred(this StoreRun run, string id, string key, long? position = null, double due = 600) =>
        run.Waiting(id, due) with
        {
            Status = FailedEventStatus.Deferred,
            Attempts = 0,
            OrderKey = key,
            Position = position,
            Deadline = run.In(3600),
        };

    /// <summary>Creates a saga that was not stored yet.</summary>
    /// <param name="run">The run.</param>
    /// <param name="id">The id of the saga.</param>
    /// <param name="due">The due time, in seconds from the start of the run; null if it is never due.</param>
    /// <param name="saga">The name of the saga.</param>
    /// <param name="status">The status.</param>
    public static SagaEntry Saga(
        this StoreRun run,
        string id,
        double? due = null,
        string saga = "trip",
        SagaStatus status = SagaStatus.Running) => new()
        {
            Id = id,
            Saga = saga,
            Status = status,
            Claim = 1,
            DueAt = run.In(due),
            StartedAt = run.Now,
            ChangedAt = run.Now,
            Content = Encoding.UTF8.GetBytes($"\"{id}\""),
        };
}
