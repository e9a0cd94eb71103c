using System.ComponentModel;
using System.Diagnostics.CodeAnalysis;
using System.Runtime.InteropServices;

namespace EventBus.Proof;

/// <summary>System calls for which .NET has no API.</summary>
internal static partial class Native
{
    private const int SigKill = 9;
    private const int SigCont = 18;
    private const int SigStop = 19;

    // Write only, create, append: the values of Linux.
    private const int AppendFlags = 0x1 | 0x40 | 0x400;
    private const int Readable = 0b110_100_100;

    /// <summary>Kills this process with SIGKILL.</summary>
    [DoesNotReturn]
    public static void KillSelf()
    {
        _ = Kill(Environment.ProcessId, SigKill);
        using var never = new ManualResetEventSlim();
        never.Wait();
        throw new InvalidOperationException("This line is never reached.");
    }

    public static void Kill(int process) => Check(Kill(process, SigKill));

    /// <summary>Suspends a process, like a paused virtual machine.</summary>
    public static void Freeze(int process) => Check(Kill(process, SigStop));

    public static void Thaw(int process) => Check(Kill(process, SigCont));

    /// <summary>Opens a file for appending.</summary>
    public static int OpenForAppending(string path)
    {
        var file = Open(path, AppendFlags, Readable);
        Check(Math.Min(file, 0));
        return file;
    }

    /// <summary>
    /// Appends with one write(2): afterwards the bytes are in the page cache, and survive the end of the process.
    /// </summary>
    public static unsafe void Append(int file, ReadOnlySpan<byte> line)
    {
        fixed (byte* start = line)
        {
            if (Write(file, start, line.Length) != line.Length)
            {
                throw new Win32Exception();
            }
        }
    }

    private static void Check(int result)
    {
        if (result != 0)
        {
            throw new Win32Exception();
        }
    }

    [LibraryImport("libc", EntryPoint = "kill", SetLastError = true)]
    private static partial int Kill(int process, int signal);

    [LibraryImport("libc", EntryPoint = "open", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int Open(string path, int flags, int mode);

    [LibraryImport("libc", EntryPoint = "write", SetLastError = true)]
    private static unsafe partial nint Write(int file, byte* start, nint length);
}
