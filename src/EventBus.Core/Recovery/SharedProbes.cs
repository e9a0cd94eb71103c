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

    private readonly ConcurrentDictionary<Func<CancellationToken, Task>, Task<bool>> running = new();

    /// <summary>Returns true if the store accepts a probe; null when the error already says what it concerns.</summary>
    /// <exception cref="OperationCanceledException">The bus stops.</exception>
    public async Task<bool?> AnswersAsync(Func<CancellationToken, Task> probe, Exception error)
    {
        if (error is StoreRefusedException)
        {
            return null;
        }

        var mine = new TaskCompletionSource<bool>(TaskCreationOptions.RunContinuationsAsynchronously);
        var shared = running.GetOrAdd(probe, mine.Task);
        if (shared == mine.Task)
        {
            var answers = await ProbeAsync(probe);
            running.TryRemove(probe, out _);
            mine.SetResult(answers);
        }

        var answered = await shared;
        services.Abort.ThrowIfCancellationRequested();
        return answered;
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
