using EventBus.Transports;

namespace EventBus;

/// <summary>
/// Sends the failed events of publish calls again, after a backoff, until none is left or the deadline has passed.
/// </summary>
internal sealed class PublishRetry(Transport transport, TimeProvider time)
{
    /// <summary>The delays between the attempts to send an event.</summary>
    public static readonly Backoff Delays = new(TimeSpan.FromMilliseconds(20), TimeSpan.FromMilliseconds(500));

    private readonly TaskCompletionSource closing = new(TaskCreationOptions.RunContinuationsAsynchronously);

    /// <summary>Ends the pauses before all further attempts: the events keep the outcomes that they have.</summary>
    public void Close() => closing.TrySetResult();

    /// <summary>Sends the failed events of a batch again until none is left, or the deadline has passed.</summary>
    /// <param name="call">The call in the lines of its keys; null if no event has a key.</param>
    /// <param name="batch">The events.</param>
    /// <param name="outcomes">The outcome of each event after the first attempt; receives those of the retries.</param>
    /// <param name="deadline">Cancelled at the deadline of the call.</param>
    public async Task RunAsync(
        PublishCall? call,
        ReadOnlyMemory<Envelope> batch,
        Memory<PublishOutcome> outcomes,
        CancellationToken deadline)
    {
        var failures = 0;
        while (true)
        {
            failures++;
            var retried = call is null
                ? RepeatablePublishes.Find(batch.Span, outcomes.Span, call: null)
                : call.Conclude(batch.Span, outcomes.Span);
            if (retried.Count == 0)
            {
                return;
            }

            if (!await PauseAsync(Delays.After(failures), deadline))
            {
                return;
            }

            if (call is not null && !await call.EnterAsync(deadline))
            {
                return;
            }

            call?.RemoveOvertaken(retried, batch);
            if (retried.Count == 0)
            {
                return;
            }

            await SendAsync([.. retried], batch, outcomes, deadline);
        }
    }

    /// <summary>Makes one attempt to send the events of a batch at the given indexes.</summary>
    private async Task SendAsync(int[] indexes, ReadOnlyMemory<Envelope> batch, Memory<PublishOutcome> outcomes, CancellationToken deadline)
    {
        var events = new Envelope[indexes.Length];
        var answers = new PublishOutcome[indexes.Length];
        for (var i = 0; i < indexes.Length; i++)
        {
            events[i] = batch.Span[indexes[i]];
        }

        try
        {
            await transport.PublishAsync(events, answers, deadline);
        }
        catch (Exception exception)
        {
            MissingOutcomes.Fill(answers, exception);
        }

        for (var i = 0; i < indexes.Length; i++)
        {
            outcomes.Span[indexes[i]] = answers[i];
        }
    }

    /// <summary>Waits for the backoff before the next attempt.</summary>
    /// <returns>False if the deadline has passed or the transport is being closed.</returns>
    private async Task<bool> PauseAsync(TimeSpan delay, CancellationToken deadline)
    {
        await Task.WhenAny(Task.Delay(delay, time, deadline), closing.Task);
        return !deadline.IsCancellationRequested && !closing.Task.IsCompleted;
    }
}
