using System.Text.Json;

namespace EventBus.Load;

/// <summary>
/// Runs one contender in its own process and measures it on request, so that contenders share neither heap, thread pool
/// nor compiled code.
/// </summary>
/// <remarks>
/// Reads a <see cref="WorkerOrder"/> and then <see cref="Work"/> in lines of its standard input, and answers each with
/// a line: "ready", and a <see cref="Sample"/>.
/// </remarks>
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
/// <param name="Arena">The arena.</param>
/// <param name="Address">The address of the server.</param>
internal sealed record WorkerOrder(string Contender, Arena Arena, string Address);
