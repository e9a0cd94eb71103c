using System.Diagnostics.Tracing;

namespace EventBus.Load;

/// <summary>
/// Counts the allocated types of a section of work from the samples of the runtime (one for each 100 KB), as a
/// diagnostic.
/// </summary>
internal sealed class AllocationTicks : EventListener
{
    /// <summary>The environment variable that makes every measurement print its types, which slows it down.</summary>
    public const string Variable = "EVENTBUS_LOAD_ALLOCATIONS";

    private const EventKeywords GarbageCollector = (EventKeywords)0x1;
    private const int Shown = 30;

    private readonly Lock gate = new();
    private readonly Dictionary<string, long> bytes = [];

    public static bool AreWanted => Environment.GetEnvironmentVariable(Variable) is not null;

    public void Print(int events)
    {
        lock (gate)
        {
            foreach (var (type, sum) in bytes.OrderByDescending(each => each.Value).Take(Shown))
            {
                Console.Error.WriteLine($"      {sum / (double)events,8:N0} B an event  {type}");
            }

            bytes.Clear();
        }
    }

    protected override void OnEventSourceCreated(EventSource eventSource)
    {
        if (eventSource.Name == "Microsoft-Windows-DotNETRuntime")
        {
            EnableEvents(eventSource, EventLevel.Verbose, GarbageCollector);
        }
    }

    protected override void OnEventWritten(EventWrittenEventArgs eventData)
    {
        if (eventData.EventName?.StartsWith("GCAllocationTick", StringComparison.Ordinal) == true && eventData.PayloadNames is { } names)
        {
            lock (gate)
            {
                var type = (string)eventData.Payload![names.IndexOf("TypeName")]!;
                bytes[type] = bytes.GetValueOrDefault(type) + Convert.ToInt64(eventData.Payload[names.IndexOf("AllocationAmount64")]);
            }
        }
    }
}
