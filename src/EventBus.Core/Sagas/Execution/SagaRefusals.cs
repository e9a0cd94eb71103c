using System.Collections.Concurrent;
using System.Runtime.ExceptionServices;
using EventBus.Stores;
using EventBus.Transports;

namespace EventBus;

/// <summary>
/// Remembers the sagas that the store refuses while it accepts others, and delays them, so that others continue.
/// Thread-safe.
/// </summary>
/// <param name="store">The store.</param>
/// <param name="services">The clock and the log.</param>
/// <param name="closing">Cancelled when the bus closes.</param>
internal sealed class SagaRefusals(SagaStore store, BusServices services, CancellationToken closing)
{
    /// <summary>
    /// A saga counts as refused after this many failed writes during which the store accepted another write.
    /// </summary>
    public const int Proofs = 4;

    private const string Refusals = "saves of sagas that the store does not take";
    private const string NoSaga = "eventbus/probe";

    private static readonly Backoff RetryDelays = new(TimeSpan.FromSeconds(1), TimeSpan.FromMinutes(1));

    private readonly ConcurrentDictionary<string, Refusal> refused = new(StringComparer.Ordinal);
    private readonly TimeProvider time = services.StoreTime;

    /// <summary>True if the bus closes.</summary>
    public bool IsClosing => closing.IsCancellationRequested;

    /// <summary>The ids of the sagas that the store refuses in any form while it accepts others.</summary>
    public IReadOnlyList<string> Ids =>
        [.. refused.Where(saga => !IsStale(saga.Value)).Select(saga => saga.Key).Order(StringComparer.Ordinal)];

    /// <summary>Records that a saga could be written, which ends its refusal.</summary>
    public void Accept(string id)
    {
        if (refused.TryRemove(id, out _) && refused.IsEmpty)
        {
            services.Log.Working(Refusals);
        }
    }

    /// <summary>Delays a saga that is not leased and whose write failed, so that others continue.</summary>
    /// <returns>True if the store accepts others and has refused this saga explicitly or several times.</returns>
    /// <exception cref="Exception">The store accepts no writes: <paramref name="error"/>.</exception>
    public async Task<bool> RefuseAsync(SagaEntry entry, Exception error)
    {
        if (!await ConcernsEntryAsync(entry, error))
        {
            ExceptionDispatchInfo.Throw(error);
        }

        foreach (var (id, _) in refused.Where(saga => IsStale(saga.Value)))
        {
            refused.TryRemove(id, out _);
        }

        var failures = refused.TryGetValue(entry.Id, out var earlier) ? earlier.Failures + 1 : 1;
        var delay = RetryDelays.After(failures);
        refused[entry.Id] = new Refusal(failures, time.GetUtcNow() + delay);
        services.Log.Failing(Refusals, error, logger => logger.SagaNotSaved(entry.Saga, entry.Id, failures, delay, error));
        return error is StoreRefusedException || failures >= Proofs;
    }

    /// <summary>
    /// True if a saga may be tried now; otherwise <paramref name="retryAt"/> is the time of the next attempt.
    /// </summary>
    public bool MayTry(string id, out DateTimeOffset retryAt)
    {
        retryAt = refused.TryGetValue(id, out var refusal) ? refusal.RetryAt : default;
        return retryAt <= time.GetUtcNow();
    }

    /// <summary>True if a failed write concerns only its saga and not the whole store.</summary>
    public async Task<bool> ConcernsEntryAsync(SagaEntry entry, Exception error)
    {
        if (error is StoreRefusedException refused)
        {
            return refused.Scope == StoreScope.Entry;
        }

        try
        {
            // No saga has version 0: the store compares the version and changes nothing.
            await store.SaveAsync(entry with { Id = NoSaga, Version = 0, Content = ReadOnlyMemory<byte>.Empty }, closing);
            return true;
        }
        catch (Exception) when (!closing.IsCancellationRequested)
        {
            return false;
        }
    }

    /// <summary>
    /// True if the refusal was not followed by another attempt: the saga is no longer due, or no longer exists.
    /// </summary>
    private bool IsStale(Refusal refusal) => refusal.RetryAt + RetryDelays.Longest <= time.GetUtcNow();

    /// <summary>The number of consecutive failed writes of a saga, and the time of the next attempt.</summary>
    private readonly record struct Refusal(int Failures, DateTimeOffset RetryAt);
}
