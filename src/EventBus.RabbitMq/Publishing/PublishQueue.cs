using System.Threading.Channels;

namespace EventBus;

/// <summary>
/// Queues publish calls, and sends their events in the order of the calls, over one channel at a time. Any thread may
/// add calls; one loop at a time sends them.
/// </summary>
internal sealed class PublishQueue(RabbitMqTopology topology, TimeProvider time)
{
    private const int MaxWaitingCalls = 1_024;

    private readonly Channel<PublishBatch> waiting =
        Channel.CreateBounded<PublishBatch>(new BoundedChannelOptions(MaxWaitingCalls) { SingleReader = true });

    // The call whose events are being sent, and the index of its next event.
    private PublishBatch? current;
    private int nextIndex;

    /// <summary>Adds the events of one call. Calls that wait for room are added in their order.</summary>
    /// <param name="batch">The events of the call.</param>
    /// <param name="deadline">Cancels the wait for room.</param>
    /// <exception cref="ChannelClosedException">The queue is complete.</exception>
    public ValueTask AddAsync(PublishBatch batch, CancellationToken deadline) =>
        waiting.Writer.TryWrite(batch) ? ValueTask.CompletedTask : waiting.Writer.WriteAsync(batch, deadline);

    /// <summary>Refuses further calls.</summary>
    public void Complete() => waiting.Writer.TryComplete();

    /// <summary>Sends waiting events until the channel ends. The next channel continues an unfinished call.</summary>
    /// <param name="channel">The channel.</param>
    /// <param name="end">Ends the call when the channel ends or is to be replaced.</param>
    public async Task SendAsync(ConfirmedChannel channel, CancellationToken end)
    {
        while (true)
        {
            if (current is null)
            {
                current = await NextCallAsync(end);
                nextIndex = 0;
            }

            while (nextIndex < current.Count)
            {
                await channel.EnterAsync(end);

                // At its deadline, an event that was written while the broker blocks the connection would be in doubt.
                // An event that was not written has certainly failed.
                await channel.Unblocked.WaitAsync(end);
                var envelope = current.Take(nextIndex);
                if (envelope is null)
                {
                    channel.Leave();
                }
                else
                {
                    await channel.SendAsync(current, nextIndex, envelope, topology, wasSentBefore: false);
                }

                nextIndex++;
            }

            current = null;
        }
    }

    /// <summary>Waits for the next call. After <see cref="Complete"/> waits until the token is cancelled.</summary>
    private async ValueTask<PublishBatch> NextCallAsync(CancellationToken end)
    {
        PublishBatch? call;
        while (!waiting.Reader.TryRead(out call))
        {
            if (!await waiting.Reader.WaitToReadAsync(end))
            {
                await Task.Delay(Timeout.InfiniteTimeSpan, time, end);
            }
        }

        return call;
    }
}
