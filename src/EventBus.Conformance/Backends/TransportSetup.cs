namespace EventBus.Conformance;

/// <summary>Describes the purpose of a transport: one application in one run of one scenario.</summary>
/// <param name="Isolation">
/// Unique for each run, and the same for all applications of the run: 1 to 20 lower-case letters and digits. Use it as
/// a key prefix, an exchange name, a virtual host or similar.
/// </param>
/// <param name="Services">The services of the application, including a logger factory.</param>
public sealed record TransportSetup(string Isolation, IServiceProvider Services)
{
    /// <summary>
    /// The number of events that a subscription may queue before its publishers wait; null for the default. Set only if
    /// <see cref="Backend.CanLimitQueue"/> is true.
    /// </summary>
    public int? QueueCapacity { get; init; }
}
