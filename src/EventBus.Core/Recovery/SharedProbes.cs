using System.Collections.Concurrent;
using EventBus.Stores;
using EventBus.Transports;

namespace EventBus;

/// <summary>
/// Probes stores after failed writes: at most one probe at a time for each store, regardless of the number of waiting
/// writes. Thread-safe.
/// </summary>
internal sealed class SharedProbes(BusServices services)
{
    private static readonly TimeSpan ProbeTimeout = TimeSpan.FromSeconds(5);

    // The probes that are running, by the method that makes them: each store has its own.
    private readonly ConcurrentDictionary<Func<CancellationToken, Task>, Task<bool>> running = new();

    /// <summary>Probes the store, or waits for the result of the probe that is running.</summary>
    /// <returns>
    /// True if the store accepted the probe. Null, without a probe, if the error already says what it concerns.
    /// </returns>
    /// <exception cref="OperationCanceledException">The bus stops.</exception>
    public async Task<bool?> AnswersAsync(Func<CancellationToken, Task> probe, Exception error)
    {
        if (error is StoreRefusedException)
        {
            return null;
        }

        var ownResult = new TaskCompletionSource<bool>(TaskCreationOptions.RunContinuationsAsynchronously);
        var result = running.GetOrAdd(probe, ownResult.Task);
        if (result == ownResult.Task)
        {
            var succeeded = await ProbeAsync(probe);
            running.TryRemove(probe, out _);
            ownResult.SetResult(succeeded);
        }

        var answers = await result;
        services.Abort.ThrowIfCancellationRequested();
        return answers;
    }

    private async Task<bool> ProbeAsync(Func<CancellationToken, Task> probe)
    {
        using var ended = CancellationTokenSource.CreateLinkedTokenSource(services.Abort);
        try
        {
            await probe(ended.Token).Observed().WaitAsync(ProbeTimeout, services.Time, services.Abort);
            return true;
        }
        catch (Exception)
        {
            await ended.CancelAsync();
            return false;
        }
    }
}
