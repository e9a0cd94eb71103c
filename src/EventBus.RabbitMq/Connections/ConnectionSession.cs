using System.Text;
using RabbitMQ.Client;
using RabbitMQ.Client.Events;
using RabbitMQ.Client.Exceptions;

namespace EventBus;

/// <summary>Wraps an open connection and applies a deadline to each call on it.</summary>
internal sealed class ConnectionSession
{
    /// <summary>The number of deadlines that a call may take while data is received from the broker.</summary>
    public const int MaxDeadlines = 6;

    private readonly TaskCompletionSource<Exception> ended = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly TimeSpan timeout;
    private readonly TimeProvider time;
    private volatile TaskCompletionSource? blocked;
    private long activityCount;
    private int answers;

    public ConnectionSession(IConnection client, long epoch, TimeSpan timeout, TimeProvider time)
    {
        (Client, Epoch, this.timeout, this.time) = (client, epoch, timeout, time);
        client.ConnectionShutdownAsync += OnShutdownAsync;
        client.ConnectionBlockedAsync += OnBlockedAsync;
        client.ConnectionUnblockedAsync += OnUnblockedAsync;
        if (!client.IsOpen)
        {
            Abandon(new InvalidOperationException("The connection was closed while it was being opened."));
        }
    }

    /// <summary>The callback that receives the broker's reason when the broker blocks this connection.</summary>
    public required Action<string> Blocked { get; init; }

    /// <summary>The counter of received bytes; stays at 0 on a connection of the application.</summary>
    public required ConnectionTraffic Traffic { get; init; }

    /// <summary>True while the broker blocks this connection.</summary>
    public bool IsBlocked => blocked is not null;

    /// <summary>Completes when the broker unblocks this connection; immediately if it is not blocked.</summary>
    public Task Unblocked => blocked?.Task ?? Task.CompletedTask;

    /// <summary>
    /// A value that changes whenever the broker shows that it is alive: by an answer, or by received bytes.
    /// </summary>
    public long ActivityCount => Volatile.Read(ref activityCount) + Traffic.Bytes;

    public IConnection Client { get; }

    public long Epoch { get; }

    /// <summary>The largest negotiated frame size in bytes; 0 for no limit.</summary>
    public uint MaxFrame => Client.FrameMax;

    /// <summary>
    /// True if the broker can lose a consumer without a notification: RabbitMQ before version 4.0, or an unknown
    /// version.
    /// </summary>
    public bool LosesConsumers
    {
        get
        {
            object? value = null;
            Client.ServerProperties?.TryGetValue("version", out value);
            var text = value is byte[] bytes ? Encoding.ASCII.GetString(bytes).Split('-', '+')[0] : null;
            return !Version.TryParse(text, out var version) || version.Major < 4;
        }
    }

    /// <summary>Completes with the cause when the connection is lost or abandoned. Never throws.</summary>
    public Task<Exception> Ended => ended.Task;

    /// <summary>Abandons the connection; the supervisor opens another one.</summary>
    public void Abandon(Exception cause) => ended.TrySetResult(cause);

    /// <summary>
    /// Records a sign of life of the broker: an answer, or an accepted write. Two concurrent calls may count as one,
    /// because only a change of the counter matters.
    /// </summary>
    public void RecordActivity() => Volatile.Write(ref activityCount, activityCount + 1);

    /// <summary>
    /// Records that the broker has answered a probe on another channel. <see cref="CallAsync(Task)"/> uses the number
    /// of answers: the broker answers in order, unless one of its channels is stuck.
    /// </summary>
    public void Answered() => Interlocked.Increment(ref answers);

    /// <summary>
    /// Opens a channel within the deadline. Closes a channel that opens too late: on a connection of the application it
    /// would stay open.
    /// </summary>
    public async Task<IChannel> OpenChannelAsync(CreateChannelOptions? options = null)
    {
        var opening = CreateAsync();
        try
        {
            return await CallAsync(opening);
        }
        catch (Exception)
        {
            _ = DiscardAsync();
            throw;
        }

        async Task<IChannel> CreateAsync()
        {
            try
            {
                return await Client.CreateChannelAsync(options, CancellationToken.None);
            }
            catch (ChannelAllocationException exception)
            {
                throw new InvalidOperationException(
                    $"The connection has no room for another channel: channel_max is {Client.ChannelMax:N0}, and each subscription needs "
                        + "one. Raise channel_max of the broker, or RequestedChannelMax of the connection factory.",
                    exception);
            }
        }

        async Task DiscardAsync()
        {
            try
            {
                await (await opening).DiscardAsync();
            }
            catch (Exception)
            {
                // The channel was never opened, so there is nothing to close.
            }
        }
    }

    /// <summary>
    /// Runs an action on its own channel. Used for calls that may cause the broker to close the channel.
    /// </summary>
    public async Task<T> OnChannelAsync<T>(Func<IChannel, Task<T>> action)
    {
        var channel = await OpenChannelAsync();
        try
        {
            return await CallAsync(action(channel));
        }
        finally
        {
            _ = channel.DiscardAsync();
        }
    }

    /// <summary>
    /// Waits until an event is written. The wait has no limit while the broker blocks the connection because it is
    /// short of memory or disk.
    /// </summary>
    public async Task WriteAsync(Task writing)
    {
        while (true)
        {
            if (IsBlocked)
            {
                await Task.WhenAny(Unblocked, ended.Task);
            }

            try
            {
                await CallAsync(writing);
                RecordActivity();
                return;
            }
            catch (TimeoutException) when (!ended.Task.IsCompleted)
            {
                // The connection is blocked, or data is still received: the wait continues.
            }
        }
    }

    public async Task<T> CallAsync<T>(Task<T> call)
    {
        await CallAsync((Task)call);
        return await call;
    }

    /// <summary>
    /// Waits for a call to the broker. If no data is received before the deadline, the connection is abandoned, unless
    /// the broker blocks it.
    /// </summary>
    /// <remarks>
    /// On a slow connection the answer waits behind events. While data is received, the wait continues for up to
    /// <see cref="MaxDeadlines"/> deadlines. Then only the call fails, and its channel must no longer be used.
    /// </remarks>
    public async Task CallAsync(Task call)
    {
        var answersBefore = Volatile.Read(ref answers);
        var deadlines = 0;
        while (true)
        {
            deadlines++;
            var before = ActivityCount;
            try
            {
                var first = await Task.WhenAny(call, ended.Task).WaitAsync(timeout, time);
                if (first != call)
                {
                    var cause = await ended.Task;
                    throw new InvalidOperationException($"The connection was lost: {RabbitMqErrors.CauseOf(cause)}", cause);
                }

                await call;
                return;
            }
            catch (TimeoutException exception)
            {
                // At least one of two answers belongs to a probe that was sent after the call. So the connection is not
                // slow, but the channel of the call is stuck.
                var isStuck = Volatile.Read(ref answers) - answersBefore >= 2;
                var isActive = before != ActivityCount;
                if (IsBlocked)
                {
                    throw;
                }

                if (!isActive)
                {
                    Abandon(exception);
                    throw;
                }

                if (call.IsCompleted || isStuck || deadlines == MaxDeadlines)
                {
                    throw;
                }
            }
        }
    }

    /// <summary>
    /// Removes the event handlers from the connection, which may belong to the application. Never throws.
    /// </summary>
    public void StopListening()
    {
        try
        {
            Client.ConnectionShutdownAsync -= OnShutdownAsync;
            Client.ConnectionBlockedAsync -= OnBlockedAsync;
            Client.ConnectionUnblockedAsync -= OnUnblockedAsync;
        }
        catch (ObjectDisposedException)
        {
            // The connection is disposed, and its event handlers with it.
        }
    }

    private Task OnShutdownAsync(object sender, ShutdownEventArgs reason)
    {
        Abandon(reason.Exception ?? new OperationInterruptedException(reason));
        return Task.CompletedTask;
    }

    private Task OnBlockedAsync(object sender, ConnectionBlockedEventArgs args)
    {
        blocked ??= new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        Blocked(args.Reason);
        return Task.CompletedTask;
    }

    private Task OnUnblockedAsync(object sender, AsyncEventArgs unblocked)
    {
        var waiting = blocked;
        blocked = null;
        waiting?.TrySetResult();
        return Task.CompletedTask;
    }
}
