namespace EventBus.Conformance;

/// <summary>What a transport is made for: one application in one run of one scenario.</summary>
/// <param name="Isolation">Unique for each run, the same for all applications of the run: 1 to 20 lower-case letters and digits. Use it as key prefix, exchange name, virtual host or the like.</param>
/// <param name="Services">The application's services, a logger factory among them.</param>
public sealed record TransportSetup(string Isolation, IServiceProvider Services)
{
    /// <summary>How many events a subscription may queue before its publishers wait; null for the default. Set only if <see cref="Backend.CanLimitQueue"/>.</summary>
    public int? QueueCapacity { get; init; }
}
