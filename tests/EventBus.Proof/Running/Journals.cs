using System.Globalization;

namespace EventBus.Proof;

/// <summary>Reads the journals of all processes while the processes write them.</summary>
internal sealed class Journals(string folder)
{
    public const string Extension = ".journal";

    private readonly Dictionary<string, Source> sources = [];
    private readonly byte[] buffer = new byte[1 << 20];

    /// <summary>All entries so far, in order within each process.</summary>
    public List<Entry> Entries { get; } = [];

    /// <summary>Reads and returns the new entries.</summary>
    public IReadOnlyList<Entry> Poll()
    {
        var before = Entries.Count;
        foreach (var path in Directory.EnumerateFiles(folder, $"*{Extension}"))
        {
            if (!sources.TryGetValue(path, out var source))
            {
                sources.Add(
                    path,
                    source = new Source(sources.Count, int.Parse(Path.GetFileName(path).Split('-')[0], CultureInfo.InvariantCulture)));
            }

            Read(path, source);
        }

        return Entries[before..];
    }

    /// <summary>Marks the journal of an ended process: the next poll reads it for the last time.</summary>
    public void Retire(int processId)
    {
        foreach (var source in sources.Values.Where(source => source.ProcessId == processId))
        {
            source.Ended = true;
        }
    }

    private void Read(string path, Source source)
    {
        if (source.IsRead)
        {
            return;
        }

        source.IsRead = source.Ended;
        using var file = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite, bufferSize: 0);
        while (true)
        {
            file.Position = source.Offset;
            var length = file.Read(buffer);

            // A line without its line break is still being written.
            var whole = buffer.AsSpan(0, length).LastIndexOf((byte)'\n') + 1;
            if (whole == 0)
            {
                return;
            }

            source.Offset += whole;
            foreach (var range in buffer.AsSpan(0, whole - 1).Split((byte)'\n'))
            {
                Entries.Add(Parse(buffer.AsSpan(range), source.Process));
            }
        }
    }

    private static Entry Parse(ReadOnlySpan<byte> line, int process)
    {
        Span<long> figures = stackalloc long[5];
        var (count, kind) = (0, ' ');
        foreach (var range in line.Split((byte)' '))
        {
            if (count == 1)
            {
                kind = (char)line[range][0];
            }
            else
            {
                figures[count] = long.Parse(line[range], CultureInfo.InvariantCulture);
            }

            count++;
        }

        return new Entry(figures[0], process, kind, figures[2], figures[3], figures[4]);
    }

    private sealed class Source(int process, int processId)
    {
        public int Process => process;

        public int ProcessId => processId;

        public bool Ended { get; set; }

        public bool IsRead { get; set; }

        public long Offset { get; set; }
    }
}
