using EventBus.Transports;
using RabbitMQ.Client;

namespace EventBus;

/// <summary>
/// Sends a request over a connection every second until it has ended, and abandons it if nothing is received for too
/// long. If the network drops all packets, no error is reported, and heartbeats take long to detect it.
/// </summary>
/// <param name="session">The connection.</param>
/// <param name="silenceTimeout">The maximum time without received data after a request.</param>
/// <param name="time">The clock.</param>
internal sealed class ConnectionProbe(ConnectionSession session, TimeSpan silenceTimeout, TimeProvider time)
{
    private static readonly TimeSpan Interval = TimeSpan.FromSeconds(1);

    // After a suspension of the process, the answer and the timeout arrive at the same time. So the answer gets this
    // last short wait.
    private static readonly TimeSpan GraceAfterSuspension = TimeSpan.FromMilliseconds(100);

    // The timeout after the broker has closed the channel of the requests. The client may then have stopped reading, so
    // the connection is replaced sooner than one that has no other sign of a failure.
    private readonly TimeSpan silenceTimeoutAfterClose = silenceTimeout / 3;

    /// <summary>Probes the connection until it has ended.</summary>
    /// <param name="probe">The channel of the requests. It is closed and replaced by this call.</param>
    /// <param name="stopped">Cancels the call.</param>
    public async Task RunAsync(IChannel probe, CancellationToken stopped)
    {
        try
        {
            while (await IsAliveAfterAsync(Interval, stopped))
            {
                if (session.IsBlocked)
                {
                    continue;
                }

                if (!probe.IsOpen)
                {
                    _ = probe.DiscardAsync();
                    probe = await ReopenAsync(stopped);
                }

                // A request that has no effect on this channel, and that the broker always answers.
                var request = probe.BasicQosAsync(0, 1, global: false, CancellationToken.None);
                await AwaitAnswerAsync(request, silenceTimeout, stopped);
            }
        }
        finally
        {
            _ = probe.DiscardAsync();
        }
    }

    private async Task<IChannel> ReopenAsync(CancellationToken stopped)
    {
        var opening = session.OpenChannelAsync();
        await AwaitAnswerAsync(opening, silenceTimeoutAfterClose, stopped);
        return await opening;
    }

    /// <summary>
    /// Waits for the answer to a request, and abandons the connection if nothing is received for too long.
    /// </summary>
    /// <remarks>
    /// On a slow connection the answer waits behind events. Other received data also shows that the broker is alive.
    /// Silence is measured from the last received byte and not from the request: a byte received just before the
    /// network fails must not add another full timeout.
    /// </remarks>
    private async Task AwaitAnswerAsync(Task request, TimeSpan maxSilence, CancellationToken stopped)
    {
        var step = maxSilence / 10;

        // A failed request is not handled here: the caller checks the state of the channel.
        _ = request.Observed();
        var lastActivity = session.ActivityCount;
        var lastActivityAt = time.GetTimestamp();
        var remaining = maxSilence;
        while (!request.IsCompleted && !session.Ended.IsCompleted && remaining > TimeSpan.Zero)
        {
            await Task.WhenAny(request, IsAliveAfterAsync(remaining < step ? remaining : step, stopped));
            var activity = session.ActivityCount;
            if (activity != lastActivity)
            {
                lastActivity = activity;
                lastActivityAt = time.GetTimestamp();
            }

            remaining = maxSilence - time.GetElapsedTime(lastActivityAt);
        }

        if (request.IsCompletedSuccessfully)
        {
            session.RecordProbeAnswer();
            return;
        }

        if (request.IsCompleted)
        {
            return;
        }

        var isAlive = await IsAliveAfterAsync(GraceAfterSuspension, stopped);
        var isSilent = !request.IsCompleted && session.ActivityCount == lastActivity;
        if (isAlive && isSilent && !session.IsBlocked)
        {
            session.Abandon(new TimeoutException($"RabbitMQ sent no data for {maxSilence}."));
        }
    }

    /// <summary>Waits, and returns false as soon as the connection has ended.</summary>
    private async Task<bool> IsAliveAfterAsync(TimeSpan wait, CancellationToken stopped)
    {
        await ((Task)session.Ended).WaitAsync(wait, time, stopped).Quietly();
        stopped.ThrowIfCancellationRequested();
        return !session.Ended.IsCompleted;
    }
}
