using EventBus.Transports;
using RabbitMQ.Client;

namespace EventBus;

/// <summary>
/// Sends requests over a connection until it has ended. If the network drops all packets, no error is reported, and
/// heartbeats take long to detect it.
/// </summary>
/// <param name="session">The connection.</param>
/// <param name="silenceTimeout">The maximum time without received data after a request.</param>
/// <param name="time">The clock.</param>
internal sealed class ConnectionProbe(ConnectionSession session, TimeSpan silenceTimeout, TimeProvider time)
{
    private static readonly TimeSpan Interval = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan GraceAfterPause = TimeSpan.FromMilliseconds(100);

    // The client can stop reading after the broker has closed channels. Then nothing is received, and the connection is
    // replaced sooner than one that has no other sign of a failure.
    private readonly TimeSpan silenceAfterClose = silenceTimeout / 3;

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

                await ListenAsync(probe.BasicQosAsync(0, 1, global: false, CancellationToken.None), silenceTimeout, stopped);
            }
        }
        finally
        {
            _ = probe.DiscardAsync();
        }
    }

    // The connection may have failed by now, so the wait for this answer has the same limit as for any other request.
    private async Task<IChannel> ReopenAsync(CancellationToken stopped)
    {
        var opening = session.OpenChannelAsync();
        await ListenAsync(opening, silenceAfterClose, stopped);
        return await opening;
    }

    /// <summary>Waits for an answer, and abandons the connection if nothing is received for too long.</summary>
    /// <remarks>
    /// On a slow connection the answer waits behind events. Other received data also shows that the broker is alive.
    /// Silence is measured from the last received byte and not from the request: a byte received just before the
    /// network fails must not add another full timeout.
    /// </remarks>
    private async Task ListenAsync(Task answer, TimeSpan maxSilence, CancellationToken stopped)
    {
        var step = maxSilence / 10;

        // An exception of the request is ignored: the caller checks the state of the channel.
        _ = answer.Observed();
        var (lastCount, activeAt) = (session.ActivityCount, time.GetTimestamp());
        var remaining = maxSilence;
        while (!answer.IsCompleted && !session.Ended.IsCompleted && remaining > TimeSpan.Zero)
        {
            await Task.WhenAny(answer, IsAliveAfterAsync(remaining < step ? remaining : step, stopped));
            var count = session.ActivityCount;
            if (count != lastCount)
            {
                (lastCount, activeAt) = (count, time.GetTimestamp());
            }

            remaining = maxSilence - time.GetElapsedTime(activeAt);
        }

        if (answer.IsCompletedSuccessfully)
        {
            session.Answered();
            return;
        }

        // After a suspension of the process, the answer and the timeout arrive at the same time. So the answer gets a
        // last short wait.
        if (!answer.IsCompleted
            && await IsAliveAfterAsync(GraceAfterPause, stopped)
            && !answer.IsCompleted
            && lastCount == session.ActivityCount
            && !session.IsBlocked)
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
