namespace Checkout;

/// <summary>Pages the operator on call.</summary>
public interface IPager
{
    Task PageAsync(string message, CancellationToken cancellationToken);
}

/// <summary>Stands in for a paging service: it only logs.</summary>
public sealed class LogPager(ILogger<LogPager> log) : IPager
{
    public Task PageAsync(string message, CancellationToken cancellationToken)
    {
        log.LogCritical("Paging the operator on call: {Message}", message);
        return Task.CompletedTask;
    }
}
