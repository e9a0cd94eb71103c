using System.Text.Json;

namespace EventBus.Load;

/// <summary>A process that holds one contender and measures it when it is told to: so that neither the heap, nor the thread pool, nor the compiled code of one contender meets another's.</summary>
/// <remarks>Reads a <see cref="WorkerOrder"/> and then <see cref="Work"/> by lines from its standard input, and answers each by a line: "ready", and a <see cref="Sample"/>.</remarks>
internal static class Worker
{
    public const string Command = "worker";
    public const string Ready = "ready";

    public static async Task<int> RunAsync()
    {
        await using var answers = new StreamWriter(Console.OpenStandardOutput()) { AutoFlush = true };
        Console.SetOut(Console.Error);
        var order = Read<WorkerOrder>(Console.ReadLine());
        if (order is null)
        {
            return 2;
        }

        var arena = order.Arena with { Address = order.Address };
        var contender = await ContenderKind.Find(order.Contender, arena.Transport).StartAsync(arena);
        await answers.WriteLineAsync(Ready);
        var measurement = new Measurement(contender, arena);
        using var ticks = AllocationTicks.AreWanted ? new AllocationTicks() : null;
        while (Read<Work>(await Console.In.ReadLineAsync()) is { } work)
        {
            await answers.WriteLineAsync(JsonSerializer.Serialize(await measurement.RunAsync(work), ResultFile.Options));
            ticks?.Print(work.Events);
        }

        await contender.DisposeAsync();
        return 0;
    }

    private static T? Read<T>(string? line)
        where T : class => line is null ? null : JsonSerializer.Deserialize<T>(line, ResultFile.Options);
}

/// <param name="Contender">The name of the contender.</param>
/// <param name="Arena">Where it is measured.</param>
/// <param name="Address">Where the server is.</param>
internal sealed record WorkerOrder(string Contender, Arena Arena, string Address);
