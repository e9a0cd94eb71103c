namespace Checkout;

/// <summary>Simulates a remote service that takes some time and can be down.</summary>
public abstract class RemoteService(string work, TimeSpan takes, TimeProvider time, ILogger log)
{
    private static readonly TimeSpan RefusesAfter = TimeSpan.FromMilliseconds(50);

    private volatile bool isDown;
    private int done;

    protected TimeProvider Time => time;

    public string Work => work;

    /// <summary>The time that the work takes.</summary>
    public TimeSpan Takes { get; set; } = takes;

    /// <summary>The number of times that the work was done.</summary>
    public int Done => Volatile.Read(ref done);

    public bool IsDown
    {
        get => isDown;
        set => isDown = value;
    }

    protected async Task CallAsync(string orderId, CancellationToken cancellationToken)
    {
        if (isDown)
        {
            await Task.Delay(RefusesAfter, time, cancellationToken);
            throw new HttpRequestException("connection refused");
        }

        await Task.Delay(Takes, time, cancellationToken);
        Interlocked.Increment(ref done);
        log.LogInformation("Order {OrderId}: {Work} is done", orderId, work);
    }
}
