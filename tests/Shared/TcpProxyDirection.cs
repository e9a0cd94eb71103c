namespace EventBus;

/// <summary>One direction of all connections of a proxy. Thread-safe.</summary>
internal sealed class TcpProxyDirection
{
    private readonly Lock gate = new();
    private TaskCompletionSource mayRead = NewOpen();
    private TcpProxyMode mode;
    private long? left;
    private long freeAt;

    /// <summary>Changes what happens to the bytes from now on.</summary>
    public TcpProxyMode Mode
    {
        get
        {
            lock (gate)
            {
                return mode;
            }
        }

        set
        {
            lock (gate)
            {
                mode = value;
                if (value != TcpProxyMode.Stall)
                {
                    mayRead.TrySetResult();
                }
                else if (mayRead.Task.IsCompleted)
                {
                    mayRead = new(TaskCreationOptions.RunContinuationsAsynchronously);
                }
            }
        }
    }

    /// <summary>The delay of all bytes. Default none.</summary>
    public TimeSpan Delay { get; set; }

    /// <summary>The maximum number of bytes a second over all connections. Default no limit.</summary>
    public long? BytesPerSecond { get; set; }

    /// <summary>
    /// Lets so many bytes more pass, and then resets the connection that they went through. Later ones are not touched;
    /// null takes it back.
    /// </summary>
    public void CutAfter(long? bytes)
    {
        lock (gate)
        {
            left = bytes;
        }
    }

    /// <summary>Completes when bytes may be taken.</summary>
    public Task MayReadAsync(CancellationToken cancellationToken)
    {
        lock (gate)
        {
            return mayRead.Task.WaitAsync(cancellationToken);
        }
    }

    /// <summary>Completes when what has been taken has arrived.</summary>
    /// <param name="count">How many bytes.</param>
    /// <param name="cancellationToken">Ends the waiting.</param>
    public async Task TravelAsync(int count, CancellationToken cancellationToken)
    {
        if (BytesPerSecond is { } rate)
        {
            TimeSpan wait;
            lock (gate)
            {
                var now = TimeProvider.System.GetTimestamp();
                freeAt = Math.Max(freeAt, now) + (count * TimeProvider.System.TimestampFrequency / rate);
                wait = TimeProvider.System.GetElapsedTime(now, freeAt);
            }

            // A timer is not exact: what it is late by, the next bytes do not wait.
            if (wait > TimeSpan.FromMilliseconds(20))
            {
                using var timer = new PeriodicTimer(wait);
                await timer.WaitForNextTickAsync(cancellationToken);
            }
        }

        if (Delay > TimeSpan.Zero)
        {
            using var timer = new PeriodicTimer(Delay);
            await timer.WaitForNextTickAsync(cancellationToken);
        }
    }

    /// <summary>Returns the number of these bytes that still pass.</summary>
    /// <param name="count">How many there are.</param>
    /// <param name="last">Whether the connection ends with them.</param>
    public int Admit(int count, out bool last)
    {
        lock (gate)
        {
            last = left <= count;
            var admitted = last ? (int)left!.Value : count;
            left = last ? null : left - count;
            return admitted;
        }
    }

    private static TaskCompletionSource NewOpen()
    {
        var open = new TaskCompletionSource();
        open.SetResult();
        return open;
    }
}
