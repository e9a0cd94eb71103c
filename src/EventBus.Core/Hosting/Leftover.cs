using System.Globalization;
using EventBus.Transports;

namespace EventBus;

/// <summary>A queue that no instance consumes, and the subscription to which it belongs.</summary>
/// <param name="Seen">The subscription as the stores know it, with the time of its last use.</param>
/// <param name="Queue">The queue on the backend.</param>
internal sealed record Leftover((string Service, string Name, DateTimeOffset LastSeen) Seen, SubscriptionQueue Queue)
{
    /// <summary>Describes the queue for the health check.</summary>
    /// <param name="service">The service name of this bus.</param>
    public string Describe(string service) => string.Create(
        CultureInfo.InvariantCulture,
        $"No instance consumes the subscription '{Seen.Name}' of the service '{Seen.Service}' at present, and {Queue.Waiting} "
            + $"events wait in it. It was last in use at {Seen.LastSeen:O}. If it is no longer used: {DescribeRemoval(service)}.");

    /// <summary>Returns the call or the command with which an operator removes the queue.</summary>
    /// <param name="service">The service name of this bus.</param>
    public string DescribeRemoval(string service)
    {
        var call = $"ISubscriptionManager.RetireAsync(\"{Seen.Name}\")";
        return Seen.Service == service
            ? call
            : $"{call} in an application whose service name is '{Seen.Service}', or, if that is gone, {Queue.Removal}";
    }
}
