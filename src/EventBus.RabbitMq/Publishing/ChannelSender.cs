using EventBus.Transports;

namespace EventBus;

/// <summary>Sends events over one channel at a time, and decides when a channel is to be replaced.</summary>
/// <remarks>
/// A channel is replaced after the broker has refused an event (nack), because it caches the leaders of queues: after a
/// leader is lost, the channel can refuse all events until it is closed.
/// </remarks>
internal sealed class ChannelSender(PublishQueue queue, UnansweredEvents unanswered, TimeProvider time)
{
    // The number of times that the replacement of a channel waits for its unconfirmed events, each time for
    // ReplaceTime. Then the channel is replaced anyway.
    private const int MaxDrains = 10;

    // If the broker refuses events (nack): the minimum lifetime of a channel, and the timeout of one wait for its
    // unconfirmed events.
    private static readonly TimeSpan ReplaceTime = TimeSpan.FromSeconds(1);

    /// <summary>Sends events until the channel has ended or is to be replaced.</summary>
    /// <returns>The reason for the end; null if the channel is to be replaced after a refused event.</returns>
    public async Task<Exception?> SendAsync(ConfirmedChannel channel, ConnectionSession session, CancellationToken stopped)
    {
        for (var drains = 0; drains < MaxDrains; drains++)
        {
            var first = await WriteUntilAsync(channel, session, stopped);
            if (first is not null)
            {
                return await CauseOfAsync(first, channel, stopped);
            }

            // Waits for unconfirmed events first, so that the next channel cannot overtake them. If they belong to a
            // queue that has no leader for a while, they should not become in doubt: the channel then sends further
            // events, and the next wait follows.
            await ((Task)Task.WhenAny(channel.Drained, channel.Ended, session.Ended)).WaitAsync(ReplaceTime, time, stopped).Quietly();
            if (channel.Drained.IsCompleted)
            {
                break;
            }
        }

        return null;
    }

    // Gets the reason why a channel has ended. The first task to end was the writing, the channel or the connection.
    private static async Task<Exception> CauseOfAsync(Task first, ConfirmedChannel channel, CancellationToken stopped)
    {
        if (channel.Ended.IsCompleted)
        {
            return await channel.Ended;
        }

        if (first is Task<Exception> ended)
        {
            return await ended;
        }

        return first.Exception?.InnerException ?? new OperationCanceledException(stopped);
    }

    /// <summary>
    /// Writes until a task has ended, or until the broker has refused an event. No event is written after it returns.
    /// </summary>
    /// <returns>The task that has ended; null after a refusal.</returns>
    private async Task<Task?> WriteUntilAsync(ConfirmedChannel channel, ConnectionSession session, CancellationToken stopped)
    {
        using var end = CancellationTokenSource.CreateLinkedTokenSource(stopped);
        var writing = WriteAsync(channel, end.Token);
        try
        {
            var replaceable = WhenReplaceableAsync(channel, end.Token);
            var first = await Task.WhenAny(writing, channel.Ended, session.Ended, replaceable).WaitAsync(stopped);
            stopped.ThrowIfCancellationRequested();
            return first == replaceable ? null : first;
        }
        finally
        {
            await end.CancelAsync();
            await writing.Quietly();
        }
    }

    /// <summary>
    /// Completes after the broker has refused an event, but not before a minimum time: a full queue refuses all events.
    /// </summary>
    private async Task WhenReplaceableAsync(ConfirmedChannel channel, CancellationToken end)
    {
        var minimumTime = Task.Delay(ReplaceTime, time, end);
        await channel.Refused.WaitAsync(end).Quietly();
        await minimumTime.Quietly();
    }

    /// <summary>
    /// Sends the unanswered events of earlier channels, and then those that wait, until the channel ends.
    /// </summary>
    private async Task WriteAsync(ConfirmedChannel channel, CancellationToken end)
    {
        await unanswered.SendAsync(channel, end);
        await queue.SendAsync(channel, end);
    }
}
