namespace EventBus;

/// <summary>One direction of all connections of a proxy. Thread-safe.</summary>
internal sealed class TcpProxyDirection
{
    private readonly Lock gate = new();
    private TaskCompletionSource mayRead = NewOpen();
    private TcpProxyMode mode;
    private long? left;
    private long freeAt;

    /// <summary>Gets or sets the treatment of the bytes.</summary>
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
    /// Resets the connection that carries the last of the next <paramref name="bytes"/> bytes. Later connections are
    /// not affected. Null cancels it.
    /// </summary>
    public void CutAfter(long? bytes)
    {
        lock (gate)
        {
            left = bytes;
        }
    }

    /// <summary>Completes when bytes may be read.</summary>
    public Task WhenReadableAsync(CancellationToken cancellationToken)
    {
        lock (gate)
        {
            return mayRead.Task.WaitAsync(cancellationToken);
        }
    }

    /// <summary>Completes when the bytes that were read have arrived.</summary>
    /// <param name="count">The number of bytes.</param>
    /// <param name="cancellationToken">Cancels the wait.</param>
    public async Task DelayAsync(int count, CancellationToken cancellationToken)
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

            // A timer is late by a few milliseconds: the next bytes wait less by that time.
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

    /// <summary>Returns how many of these bytes still pass.</summary>
    /// <param name="count">The number of bytes.</param>
    /// <param name="last">True if the connection ends after them.</param>
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
