using EventBus.Stores;

namespace EventBus;

/// <summary>One attempt to handle an event in an idempotent subscription.</summary>
/// <param name="key">The key of the event.</param>
/// <param name="fingerprint">The fingerprint of the event's content; 0 if copies may differ.</param>
/// <param name="subject">The event, as writes to the store name it.</param>
/// <param name="runningAttempts">The running attempts of the subscription. Disposing removes this one.</param>
internal sealed class EventClaim(ProcessedKey key, long fingerprint, WriteSubject subject, RunningAttempts runningAttempts) : IDisposable
{
    private readonly TaskCompletionSource ended = new(TaskCreationOptions.RunContinuationsAsynchronously);

    public ProcessedKey Key => key;

    public long Fingerprint => fingerprint;

    public WriteSubject Subject => subject;

    /// <summary>The fencing token; 0 until the event is claimed.</summary>
    public long FencingToken { get; set; }

    /// <summary>Completes when the attempt has ended.</summary>
    public Task Ended => ended.Task;

    public void Dispose()
    {
        runningAttempts.Leave(this);
        ended.TrySetResult();
    }
}
