using System.Collections.Concurrent;
using System.Runtime.ExceptionServices;
using EventBus.Stores;
using EventBus.Transports;

namespace EventBus;

/// <summary>
/// Remembers the sagas whose writes the store refuses while it accepts those of others, and delays their next attempts,
/// so that the other sagas continue. Thread-safe.
/// </summary>
/// <param name="store">The store.</param>
/// <param name="services">The clock and the log.</param>
/// <param name="closing">Cancelled when the bus closes.</param>
internal sealed class SagaRefusals(SagaStore store, BusServices services, CancellationToken closing)
{
    /// <summary>
    /// A saga counts as refused after this many failed writes during which the store accepted another write.
    /// </summary>
    public const int FailuresUntilRefused = 4;

    // Names the refused saves in the log.
    private const string Activity = "saves of sagas that the store does not take";

    // No saga has this id, because a saga's id contains no slash.
    private const string ProbeId = "eventbus/probe";

    private static readonly Backoff RetryDelays = new(TimeSpan.FromSeconds(1), TimeSpan.FromMinutes(1));

    private readonly ConcurrentDictionary<string, Refusal> refused = new(StringComparer.Ordinal);
    private readonly TimeProvider time = services.StoreTime;

    /// <summary>True if the bus closes.</summary>
    public bool IsClosing => closing.IsCancellationRequested;

    /// <summary>The ids of the sagas of which a write failed while the store accepted others.</summary>
    public IReadOnlyList<string> Ids =>
        [.. refused.Where(saga => !IsStale(saga.Value)).Select(saga => saga.Key).Order(StringComparer.Ordinal)];

    /// <summary>Records that a saga could be written, which ends its refusal.</summary>
    public void RecordAccepted(string id)
    {
        if (refused.TryRemove(id, out _) && refused.IsEmpty)
        {
            services.Log.Working(Activity);
        }
    }

    /// <summary>Records a failed write of a saga, and determines when the saga may be tried again.</summary>
    /// <returns>
    /// True if the saga counts as refused: the store has refused it explicitly, or <see cref="FailuresUntilRefused"/>
    /// times.
    /// </returns>
    /// <exception cref="Exception">The store accepts no writes at all: <paramref name="error"/>.</exception>
    public async Task<bool> RecordAsync(SagaEntry entry, Exception error)
    {
        if (!await ConcernsEntryAsync(entry, error))
        {
            ExceptionDispatchInfo.Throw(error);
        }

        foreach (var stale in refused.Where(saga => IsStale(saga.Value)))
        {
            refused.TryRemove(stale.Key, out _);
        }

        var failures = refused.GetValueOrDefault(entry.Id).Failures + 1;
        var delay = RetryDelays.After(failures);
        refused[entry.Id] = new Refusal(failures, time.GetUtcNow() + delay);
        services.Log.Failing(Activity, error, logger => logger.SagaNotSaved(entry.Saga, entry.Id, failures, delay, error));
        return error is StoreRefusedException || failures >= FailuresUntilRefused;
    }

    /// <summary>
    /// True if a saga may be tried now; otherwise <paramref name="retryAt"/> is the time of the next attempt.
    /// </summary>
    public bool MayTry(string id, out DateTimeOffset retryAt)
    {
        retryAt = refused.TryGetValue(id, out var refusal) ? refusal.RetryAt : default;
        return retryAt <= time.GetUtcNow();
    }

    /// <summary>
    /// True if a failed write concerns only its saga and not the whole store. Probes the store with another write if
    /// the error does not say so.
    /// </summary>
    public async Task<bool> ConcernsEntryAsync(SagaEntry entry, Exception error)
    {
        if (error is StoreRefusedException refusal)
        {
            return refusal.Scope == StoreScope.Entry;
        }

        try
        {
            // No saga has this id and the version 0, so the store changes nothing.
            await store.SaveAsync(entry with { Id = ProbeId, Version = 0, Content = ReadOnlyMemory<byte>.Empty }, closing);
            return true;
        }
        catch (Exception) when (!closing.IsCancellationRequested)
        {
            return false;
        }
    }

    /// <summary>
    /// True if no other attempt has followed for a long time: the saga is no longer due, or no longer exists.
    /// </summary>
    private bool IsStale(Refusal refusal) => refusal.RetryAt + RetryDelays.Longest <= time.GetUtcNow();

    /// <summary>The number of consecutive failed writes of a saga, and the time of the next attempt.</summary>
    private readonly record struct Refusal(int Failures, DateTimeOffset RetryAt);
}
