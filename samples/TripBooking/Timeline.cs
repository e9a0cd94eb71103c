namespace TripBooking;

/// <summary>Shows what happens as it happens, with the time since the beginning of the scene. Thread-safe.</summary>
public sealed class Timeline(TimeProvider time, Action<Moment> show)
{
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(20);
    private static readonly TimeSpan Look = TimeSpan.FromMilliseconds(20);

    private readonly List<Moment> moments = [];
    private readonly Lock gate = new();
    private long zero = time.GetTimestamp();

    /// <summary>A scene begins.</summary>
    public void Begin()
    {
        lock (gate)
        {
            moments.Clear();
            zero = time.GetTimestamp();
        }
    }

    /// <summary>Something has happened.</summary>
    /// <param name="who">To whom.</param>
    /// <param name="what">What.</param>
    /// <param name="key">The idempotency key under which it was asked for, if any.</param>
    public void Add(string who, string what, string? key = null)
    {
        lock (gate)
        {
            moments.Add(new Moment(time.GetElapsedTime(zero), who, what, key));
            show(moments[^1]);
        }
    }

    /// <summary>What has happened to somebody in this scene.</summary>
    public IReadOnlyList<string> Of(string who)
    {
        lock (gate)
        {
            return [.. moments.Where(moment => moment.Who == who).Select(moment => moment.What)];
        }
    }

    /// <summary>Waits for something to happen to somebody in this scene.</summary>
    /// <exception cref="TimeoutException">It did not.</exception>
    public async Task UntilAsync(string who, CancellationToken cancellationToken)
    {
        for (var begun = time.GetTimestamp(); Of(who).Count == 0;)
        {
            if (time.GetElapsedTime(begun) > Limit)
            {
                throw new TimeoutException($"nothing was heard of '{who}' within {Limit.TotalSeconds} s.");
            }

            await Task.Delay(Look, time, cancellationToken);
        }
    }
}

/// <summary>Something that has happened.</summary>
public sealed record Moment(TimeSpan At, string Who, string What, string? Key);
