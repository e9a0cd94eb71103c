using System.Diagnostics;

namespace EventBus.Load;

/// <summary>
/// Measures the start of a program until its first event is handled: a bare host with a channel, one with the bus, and
/// other libraries.
/// </summary>
internal static class Hello
{
    public const string Bus = "bus";
    public const string Bare = "bare";

    /// <summary>The bus, started from this program as the other libraries are.</summary>
    public const string BusHere = "bus-here";
    public const string Command = "hello";

    private const int Rounds = 15;
    private const int ShortRounds = 2;

    /// <summary>Publishes the programs, and starts them in turns.</summary>
    /// <param name="isShort">True to leave out native programs, which take minutes to build.</param>
    /// <param name="peers">
    /// True to include other libraries, a channel and the bus, all started from this program.
    /// </param>
    public static async Task<List<StartSeries>> RunAsync(bool isShort, bool peers)
    {
        Console.WriteLine();
        Console.WriteLine("From the start of a process to its first handled event");
        using var folder = new ScratchFolder();
        var programs = new List<HelloProgram>();
        foreach (var (name, project) in new[] { (Bare, "EventBus.Hello.Bare"), (Bus, "EventBus.Hello.Bus") })
        {
            programs.Add(await HelloProgram.PublishAsync(name, project, isNative: false, folder.Path));
            if (!isShort)
            {
                programs.Add(await HelloProgram.PublishAsync(name, project, isNative: true, folder.Path));
            }
        }

        programs.AddRange(peers ? ContenderKind.All
            .Where(kind => kind is { IsTuned: false, Name: not (ContenderKind.Idempotent or ContenderKind.Look) }
                && kind.Transports.Contains(Transport.Memory))
            .Select(kind => HelloProgram.OfContender(kind.Name)) : []);
        foreach (var program in programs)
        {
            // The first start reads the files from the disk, which is not compared.
            _ = await program.StartAsync();
        }

        var samples = programs.ConvertAll(_ => new List<StartSample>());
        for (var round = 0; round < (isShort ? ShortRounds : Rounds); round++)
        {
            for (var i = 0; i < programs.Count; i++)
            {
                var place = (i + round) % programs.Count;
                samples[place].Add(await programs[place].StartAsync());
            }
        }

        List<StartSeries> series =
            [.. programs.Select((program, i) => new StartSeries(program.Name, program.IsNative, program.SizeMiB, samples[i]))];
        foreach (var one in series)
        {
            Console.WriteLine($"  {one.Program,-14} {(one.IsNative ? "native AOT         " : "framework-dependent")} "
                + $"{Statistics.Median(one.Rounds.Select(s => s.Milliseconds)),7:0} ms  peak "
                + $"{Statistics.Median(one.Rounds.Select(s => s.PeakMiB)),6:0.0} MiB  size {one.SizeMiB:0.0} MiB");
        }

        return series;
    }

    /// <summary>Runs in the process that measures the start of a contender: handles one event.</summary>
    public static async Task<int> RunContenderAsync(string name)
    {
        var handled = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var contender = await ContenderKind.Find(name, Transport.Memory).StartAsync(new Arena(Transport.Memory));
        contender.Handle = _ =>
        {
            EventBus.Hello.HelloSign.Give();
            handled.SetResult();
        };
        await contender.PublishAsync(new OrderPlaced(Guid.NewGuid(), "1", "1", 1m, 0));
        await handled.Task;
        await contender.DisposeAsync();
        return 0;
    }
}
