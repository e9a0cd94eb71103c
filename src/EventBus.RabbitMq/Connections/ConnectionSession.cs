using RabbitMQ.Client;

namespace EventBus;

/// <summary>Wraps an open connection, and applies a timeout to each call on it. Thread-safe.</summary>
internal sealed class ConnectionSession
{
    /// <summary>The number of timeouts that a call may take while data is received from the broker.</summary>
    public const int MaxTimeouts = 6;

    private readonly ConnectionStatus status;
    private readonly TimeSpan timeout;
    private readonly TimeProvider time;
    private long activityCount;
    private int probeAnswers;

    /// <param name="client">The open connection.</param>
    /// <param name="epoch">The number of this connection.</param>
    /// <param name="timeout">The timeout of each call.</param>
    /// <param name="onBlocked">Receives the broker's reason when the broker blocks this connection.</param>
    /// <param name="time">The clock.</param>
    public ConnectionSession(IConnection client, long epoch, TimeSpan timeout, Action<string> onBlocked, TimeProvider time)
    {
        Client = client;
        Epoch = epoch;
        this.timeout = timeout;
        this.time = time;
        status = new ConnectionStatus(client, onBlocked);
    }

    /// <summary>The counter of received bytes; stays at 0 on a connection of the application.</summary>
    public required ConnectionTraffic Traffic { get; init; }

    /// <summary>True while the broker blocks this connection.</summary>
    public bool IsBlocked => status.IsBlocked;

    /// <summary>Completes when the broker unblocks this connection; immediately if it is not blocked.</summary>
    public Task Unblocked => status.Unblocked;

    /// <summary>
    /// A value that changes whenever the broker shows that it is alive: by an answer, or by received bytes.
    /// </summary>
    public long ActivityCount => Volatile.Read(ref activityCount) + Traffic.Bytes;

    public IConnection Client { get; }

    /// <summary>
    /// The number of this connection, counted from 1: it increases with each connection that replaces a lost one.
    /// </summary>
    public long Epoch { get; }

    /// <summary>The largest negotiated frame size in bytes; 0 for no limit.</summary>
    public uint MaxFrame => Client.FrameMax;

    /// <summary>Completes with the cause when the connection is lost or abandoned. Never throws.</summary>
    public Task<Exception> Ended => status.Ended;

    /// <summary>Abandons the connection; the supervisor opens another one.</summary>
    public void Abandon(Exception cause) => status.End(cause);

    /// <summary>
    /// Records a sign of life of the broker: an answer, or an accepted write. Two concurrent calls may count as one,
    /// because only a change of the counter matters.
    /// </summary>
    public void RecordActivity() => Volatile.Write(ref activityCount, activityCount + 1);

    /// <summary>
    /// Records that the broker has answered a probe (<see cref="ConnectionProbe"/>), which uses its own channel. The
    /// number of answers shows <see cref="CallAsync(Task)"/> whether the channel of a call is stuck: otherwise the
    /// broker answers in order.
    /// </summary>
    public void RecordProbeAnswer() => Interlocked.Increment(ref probeAnswers);

    /// <summary>
    /// Waits until an event is written. The wait ends without the write only when the connection has ended: there is no
    /// limit while the broker blocks the connection or data is received.
    /// </summary>
    public async Task WriteAsync(Task writing)
    {
        while (true)
        {
            if (IsBlocked)
            {
                await Task.WhenAny(Unblocked, Ended);
            }

            try
            {
                await CallAsync(writing);
                RecordActivity();
                return;
            }
            catch (TimeoutException) when (!Ended.IsCompleted)
            {
                // The broker blocks the connection, or data is still received: the wait continues.
            }
        }
    }

    /// <summary>Waits for a call like <see cref="CallAsync(Task)"/>, and returns its result.</summary>
    public async Task<T> CallAsync<T>(Task<T> call)
    {
        await CallAsync((Task)call);
        return await call;
    }

    /// <summary>
    /// Waits for a call to the broker. If no data is received during the timeout, the connection is abandoned, unless
    /// the broker blocks it.
    /// </summary>
    /// <remarks>
    /// On a slow connection the answer waits behind events. While data is received, the wait continues for up to
    /// <see cref="MaxTimeouts"/> timeouts. Then only the call fails, and its channel must no longer be used.
    /// </remarks>
    /// <exception cref="TimeoutException">The call was not answered in time.</exception>
    /// <exception cref="InvalidOperationException">The connection has ended.</exception>
    public async Task CallAsync(Task call)
    {
        var probeAnswersBefore = Volatile.Read(ref probeAnswers);
        var timeouts = 0;
        while (true)
        {
            timeouts++;
            var activityBefore = ActivityCount;
            try
            {
                var first = await Task.WhenAny(call, Ended).WaitAsync(timeout, time);
                if (first != call)
                {
                    var cause = await Ended;
                    throw new InvalidOperationException($"The connection was lost: {RabbitMqErrors.CauseOf(cause)}", cause);
                }

                await call;
                return;
            }
            catch (TimeoutException exception)
            {
                // Of two answered probes, at least one was sent after the call. So the connection is not slow, but the
                // channel of the call is stuck.
                var isStuck = Volatile.Read(ref probeAnswers) - probeAnswersBefore >= 2;
                var isActive = ActivityCount != activityBefore;
                if (IsBlocked)
                {
                    throw;
                }

                if (!isActive)
                {
                    Abandon(exception);
                    throw;
                }

                // If the call is completed, it has thrown the exception itself.
                if (call.IsCompleted || isStuck || timeouts == MaxTimeouts)
                {
                    throw;
                }
            }
        }
    }

    /// <summary>
    /// Removes the event handlers from the connection, which may belong to the application. Never throws.
    /// </summary>
    public void StopListening() => status.StopListening();
}
