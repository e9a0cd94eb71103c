using System.Diagnostics;

namespace EventBus.Proof;

/// <summary>Parses the command line, runs the proofs with their stores, and prints the results.</summary>
internal static class Runner
{
    // A proof mostly waits for leases to expire. With more proofs at once, a busy machine could lose leases that are
    // being renewed.
    private const int SideBySide = 3;

    private const string Usage = "Usage: <proof>... | all [--transport redis|redis-pubsub|rabbitmq|rabbitmq-classic|kafka|...] [--store "
        + "sqlite|redis|memory|native] [--quick | --parts N] [--seed N] [--keep]";

    public static async Task<int> RunAsync(string[] args)
    {
        if (Parse(args) is not { } asked)
        {
            await Console.Error.WriteLineAsync(
                $"{Usage}{Environment.NewLine}Proofs: {string.Join(", ", Catalogue.All.Select(proof => proof.Name))}");
            return 2;
        }

        using var places = new SemaphoreSlim(asked.Quick ? SideBySide : 1);
        var together = asked.Runs.Where(run => !run.Proof.RunsAlone)
            .Select(run => RunInTurnAsync(run.Proof, run.Settings, asked.Keep, places))
            .ToArray();
        var verdicts = new List<Verdict>(await Task.WhenAll(together));
        foreach (var (proof, settings) in asked.Runs.Where(run => run.Proof.RunsAlone))
        {
            verdicts.Add(await RunInTurnAsync(proof, settings, asked.Keep, places));
        }

        var (passed, failed, skipped) = (
            verdicts.Count(verdict => verdict == Verdict.Passed),
            verdicts.Count(verdict => verdict == Verdict.Failed),
            verdicts.Count(verdict => verdict == Verdict.Skipped));
        Console.WriteLine($"{passed} passed, {failed} failed{(skipped > 0 ? $", {skipped} skipped" : "")}");
        return failed == 0 ? 0 : 1;
    }

    private static async Task<Verdict> RunInTurnAsync(Proof proof, RunSettings settings, bool keep, SemaphoreSlim places)
    {
        await places.WaitAsync();
        try
        {
            var output = new List<string>();
            var verdict = await RunAsync(proof, settings, keep, output);
            Console.WriteLine(string.Join(Environment.NewLine, output));
            return verdict;
        }
        finally
        {
            places.Release();
        }
    }

    private static async Task<Verdict> RunAsync(Proof proof, RunSettings settings, bool keep, List<string> output)
    {
        output.Add(
            $"== {proof.Name} ({settings.Store} over {settings.Transport}), {settings.Form}, seed {settings.Seed}");
        if (settings.OverRabbitMq && !PrivateRabbitMq.IsInstalled)
        {
            output.Add("  SKIP: the proof needs RabbitMQ, and rabbitmq-server is not installed.");
            return Verdict.Skipped;
        }

        if (settings.OverKafka && !PrivateKafka.IsInstalled)
        {
            output.Add("  SKIP: the proof needs Kafka, and there is none on this machine (eng/kafka.sh).");
            return Verdict.Skipped;
        }

        var findings = new Findings();
        var stage = new Stage(proof.Name, settings);
        var begun = Stopwatch.GetTimestamp();
        try
        {
            await proof.RunAsync(stage, findings);
        }
        catch (Exception exception)
        {
            findings.Fail(exception is ProofException or TimeoutException ? exception.Message : exception.ToString());
        }

        await stage.DisposeAsync();
        output.Add($"  {"faults",-34} {stage.Kills} kills, {stage.SelfKills} self-kills, {stage.Freezes} freezes, {stage.Stalls} stalls of "
            + $"the store{(stage.FailedStarts > 0 ? $", {stage.FailedStarts} processes that could not start in time" : "")}");
        output.AddRange(findings.Lines);
        output.Add($"  {(findings.Passed ? "PASS" : "FAIL")} {proof.Name} ({settings.Store} over {settings.Transport}) after "
            + $"{Stopwatch.GetElapsedTime(begun).TotalSeconds:0.0} s");
        if (!findings.Passed)
        {
            output.Add($"  To repeat the run: eng/check-proofs {proof.Name} --transport {settings.Transport} --store "
                + $"{settings.Store}{settings.Arguments} --seed {settings.Seed} --keep");
        }

        if (findings.Passed && !keep)
        {
            Delete(stage.Folder);
        }
        else
        {
            output.Add($"  The files of its processes are in {stage.Folder}");
        }

        return findings.Passed ? Verdict.Passed : Verdict.Failed;
    }

    private static Asked? Parse(string[] args)
    {
        var (names, transport, store) = (new List<string>(), (string?)null, (string?)null);
        var (quick, keep, seed, parts) = (false, false, 1, 1);
        for (var i = 0; i < args.Length; i++)
        {
            switch (args[i])
            {
                case "--quick":
                    quick = true;
                    break;
                case "--keep":
                    keep = true;
                    break;
                case "--transport" when i + 1 < args.Length:
                    transport = args[++i];
                    break;
                case "--store" when i + 1 < args.Length:
                    store = args[++i];
                    break;
                case "--parts" when i + 1 < args.Length && int.TryParse(args[i + 1], out parts) && parts > 0:
                    i++;
                    break;
                case "--seed" when i + 1 < args.Length && int.TryParse(args[i + 1], out seed):
                    i++;
                    break;
                default:
                    names.Add(args[i]);
                    break;
            }
        }

        var proofs = Catalogue.All.Where(proof => names.Contains("all") || names.Contains(proof.Name)).ToList();
        var runs = (
            from proof in proofs
            from over in proof.Transports
            from kept in proof.Stores
            where proof.Joins(over, kept)
            where (transport is null || over == transport) && (store is null || kept == store)
            where !quick || transport is not null || store is not null || !proof.IsForFullRuns(over, kept)
            select (proof, new RunSettings(over, kept, quick, seed, parts))).ToList();
        return names.Count == 0 || names.Exists(name => name != "all" && !Catalogue.All.Any(proof => proof.Name == name)) || runs.Count == 0
            ? null
            : new Asked(runs, quick, keep);
    }

    private sealed record Asked(IReadOnlyList<(Proof Proof, RunSettings Settings)> Runs, bool Quick, bool Keep);

    private enum Verdict
    {
        Passed,
        Failed,
        Skipped,
    }

    private static void Delete(string folder)
    {
        try
        {
            Directory.Delete(folder, recursive: true);
        }
        catch (IOException)
        {
            // A server that is ending may still delete its own files from the folder.
        }
    }
}
